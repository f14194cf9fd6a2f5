//! `/.mediafs/metrics`: the numbers of `status.json` in the text format of Prometheus (version 0.0.4).
//! Does not tell what users have: everybody may read it.

use std::fmt::{Display, Write};

use crate::tree::{Result, Tree};

/// What is written so far.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a metric; its samples follow.
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP mediafs_{name} {help}\n# TYPE mediafs_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "mediafs_{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "gauge", help);
        self.sample(name, &[], value);
    }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Tree {
    pub(super) fn metrics(&self) -> Result<String> {
        let mut text = Text::default();
        text.metric("info", "gauge", "The version that runs.");
        text.sample("info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        self.tell_library(&mut text)?;
        self.tell_work(&mut text);
        text.metric("refusals_total", "counter", "Refusals since the start, by rule.");
        for (rule, count) in self.library.refusals().counts() {
            text.sample("refusals_total", &[("rule", rule.key())], count);
        }
        text.metric("box_files_total", "counter", "Files in drop boxes since the start.");
        for drop_box in self.library.boxes() {
            let (taken, refused) = drop_box.counts();
            let name = ("box", drop_box.rule.name.as_str());
            text.sample("box_files_total", &[name, ("became", "row")], taken);
            text.sample("box_files_total", &[name, ("became", "refusal")], refused);
        }
        Ok(text.0)
    }

    fn tell_library(&self, text: &mut Text) -> Result<()> {
        let totals = self.library.totals()?;
        text.gauge("rows", "Rows of all tables.", totals.rows);
        text.gauge("attachments", "Attachments that have a name.", totals.attachments);
        text.gauge("blobs", "Stored blobs, variants among them.", totals.blobs);
        text.gauge("variants", "Rendered variants.", totals.variants);
        text.gauge("scratch_files", "Scratch files.", totals.scratch);
        text.gauge("blob_bytes", "Bytes of all blobs.", totals.bytes);
        text.gauge("trash_files", "Detached attachments that are not swept.", totals.retired);
        text.gauge("trash_bytes", "Bytes of the trash.", totals.retired_bytes);
        let quarantined = self.library.quarantine().list().len();
        text.gauge("quarantine_entries", "Refused files that are kept.", quarantined);
        let stores = self.library.store_statuses()?;
        text.metric("store_bytes", "gauge", "Bytes of a store's blobs.");
        for store in &stores {
            text.sample("store_bytes", &[("store", &store.name)], store.bytes);
        }
        text.metric("store_free_bytes", "gauge", "Bytes that are free where a store lies.");
        for store in &stores {
            if let Some(free) = store.free {
                text.sample("store_free_bytes", &[("store", &store.name)], free);
            }
        }
        Ok(())
    }

    fn tell_work(&self, text: &mut Text) {
        text.gauge("open_handles", "Open files and directories.", self.handles.count());
        text.gauge("open_drafts", "Open drafts and placeholders.", self.drafts.len());
        text.gauge("arrivals", "Files in drop boxes that wait.", self.arrivals.len());
        let workers = self.library.pipeline().status();
        text.metric("workers", "gauge", "Worker processes, and callers that wait for one.");
        text.sample("workers", &[("state", "live")], workers.live);
        text.sample("workers", &[("state", "busy")], workers.busy);
        text.sample("workers", &[("state", "awaited")], workers.waiting);
        text.metric("workers_spawned_total", "counter", "Worker processes started.");
        text.sample("workers_spawned_total", &[], workers.spawned);
        text.metric(
            "workers_killed_total",
            "counter",
            "Workers that died, hung or answered nonsense.",
        );
        text.sample("workers_killed_total", &[], workers.killed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_written_as_prometheus_reads_it() {
        let mut text = Text::default();
        text.gauge("rows", "Rows.", 3);
        text.sample("store_bytes", &[("store", "a\"b\\c")], 7);
        let wanted = "# HELP mediafs_rows Rows.\n# TYPE mediafs_rows gauge\nmediafs_rows 3\n\
                      mediafs_store_bytes{store=\"a\\\"b\\\\c\"} 7\n";
        assert_eq!(text.0, wanted);
    }
}
