//! `/.mediafs/metrics`: the numbers of `status.json` and counters of requests, in the text format of Prometheus (version 0.0.4).
//! Everybody may read it, so no file or user is named.

use std::fmt::{Display, Write};

use crate::tree::activity::{BOUNDS, Done, Operation, Queue};
use crate::tree::error::Result;
use crate::tree::view::status_json::Status;
use words::timestamp::Timestamp;

/// The text so far.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a metric. Its samples must follow.
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

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.metric(name, "counter", help);
        self.sample(name, &[], value);
    }

    /// Writes a histogram. Each bucket counts the durations up to its bound, those of lower buckets included.
    fn histogram(&mut self, name: &str, label: (&str, &str), done: &Done) {
        let mut so_far = 0;
        let bounds = BOUNDS.iter().map(|bound| bound.as_secs_f64().to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(done.within) {
            so_far += count;
            self.sample(&format!("{name}_bucket"), &[label, ("le", &bound)], so_far);
        }
        self.sample(&format!("{name}_sum"), &[label], done.took.as_secs_f64());
        self.sample(&format!("{name}_count"), &[label], so_far);
    }
}

/// Escapes backslash, quote and line feed in a label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Status {
    pub fn metrics(&self) -> Result<String> {
        let mut text = Text::default();
        text.metric("info", "gauge", "The version that runs.");
        text.sample("info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        let help = "1 after the disk has failed: nothing is stored any more.";
        text.gauge("fenced", help, u8::from(self.library.fence.is_raised()));
        self.add_library(&mut text)?;
        self.add_work(&mut text);
        self.add_operations(&mut text);
        self.add_counts(&mut text);
        text.metric("refusals_total", "counter", "Refusals since the start, by rule.");
        for (rule, count) in self.library.journal.counts() {
            text.sample("refusals_total", &[("rule", &rule.to_string())], count);
        }
        text.metric("box_files_total", "counter", "Files in drop boxes since the start.");
        for drop_box in self.library.lookup.boxes() {
            let (taken, refused) = self.library.boxes.counts(drop_box.row);
            let name = ("box", drop_box.rule.name.as_str());
            text.sample("box_files_total", &[name, ("became", "row")], taken);
            text.sample("box_files_total", &[name, ("became", "refusal")], refused);
        }
        Ok(text.0)
    }

    fn add_library(&self, text: &mut Text) -> Result<()> {
        let totals = self.library.lookup.totals()?;
        text.gauge("rows", "Rows of all tables.", totals.rows);
        text.gauge("attachments", "Attachments that have a name.", totals.attachments);
        text.gauge("blobs", "Stored blobs, variants among them.", totals.blobs);
        text.gauge("variants", "Rendered variants.", totals.variants);
        text.gauge("blob_bytes", "Bytes of all blobs.", totals.bytes);
        let damaged = "Stored files of a wrong length that were come across since the start.";
        text.gauge("damaged_files", damaged, self.library.blobs.damaged());
        text.gauge("trash_files", "Detached attachments that are not swept.", totals.retired);
        text.gauge("trash_bytes", "Bytes of the trash.", totals.retired_bytes);
        self.add_kept(text);
        let stores = self.library.store_names.statuses()?;
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

    /// Adds the files that are not attached, and how long they are kept.
    fn add_kept(&self, text: &mut Text) {
        let scratch = self.library.expiry.status();
        text.gauge("scratch_files", "Scratch files.", scratch.files);
        text.gauge("scratch_bytes", "Bytes of scratch files.", scratch.bytes);
        let help = "Seconds until the first scratch file expires; no sample without scratch.";
        text.metric("scratch_next_expiry_seconds", "gauge", help);
        if let Some(expiry) = scratch.next_expiry {
            let left = expiry.since(Timestamp::now()).as_secs();
            text.sample("scratch_next_expiry_seconds", &[], left);
        }
        let quarantined = self.library.quarantine.count();
        text.gauge("quarantine_entries", "Files that the quarantine keeps.", quarantined);
        let (files, bytes) = self.library.counts.awaiting_quarantine();
        let help = "Interrupted files that the quarantine cannot take before the next start.";
        text.gauge("awaiting_quarantine_files", help, files);
        text.gauge("awaiting_quarantine_bytes", "Bytes of those.", bytes);
    }

    fn add_work(&self, text: &mut Text) {
        text.gauge("open_handles", "Open files and directories.", self.open.handles.count());
        text.gauge("open_drafts", "Open drafts and placeholders.", self.open.drafts.len());
        text.gauge("arrivals", "Files in drop boxes that wait.", self.open.boxes.files.count());
        let workers = self.library.pipeline.status();
        text.metric("workers", "gauge", "Worker processes, and callers that wait for one.");
        text.sample("workers", &[("state", "live")], workers.live);
        text.sample("workers", &[("state", "busy")], workers.busy);
        text.sample("workers", &[("state", "awaited")], workers.waiting);
        text.counter("workers_spawned_total", "Worker processes started.", workers.spawned);
        let help = "Workers that died, hung or answered nonsense.";
        text.counter("workers_killed_total", help, workers.killed);
        text.metric("queue_length", "gauge", "Work that waits for a thread.");
        for queue in Queue::ALL {
            let waiting = self.activity.waiting(queue);
            text.sample("queue_length", &[("queue", queue.name())], waiting);
        }
    }

    fn add_operations(&self, text: &mut Text) {
        let done = || Operation::ALL.iter().map(|it| (it.name(), self.activity.done(*it)));
        text.metric("operation_seconds", "histogram", "How long operations took to be answered.");
        for (name, done) in done() {
            text.histogram("operation_seconds", ("operation", name), &done);
        }
        let help = "Answers that were an errno, names that are not there among them.";
        text.metric("operation_errors_total", "counter", help);
        for (name, done) in done() {
            text.sample("operation_errors_total", &[("operation", name)], done.errors);
        }
    }

    fn add_counts(&self, text: &mut Text) {
        let counts = &self.library.counts;
        let attached = "Files that were judged, stored and linked.";
        text.counter("attached_total", attached, counts.attached.total());
        let stored = "Bytes of blobs that were stored.";
        text.counter("stored_bytes_total", stored, counts.stored_bytes.total());
        let shared = "Bytes that needed no blob of their own, for they were stored already.";
        text.counter("shared_bytes_total", shared, counts.shared_bytes.total());
        text.metric(
            "variants_total",
            "counter",
            "Variants that were looked up, by what came of it.",
        );
        for (outcome, count) in [
            ("found", &counts.variants_found),
            ("rendered", &counts.variants_rendered),
            ("failed", &counts.variants_failed),
        ] {
            text.sample("variants_total", &[("outcome", outcome)], count.total());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    #[test]
    fn a_bucket_holds_those_below_it() {
        let done = Done {
            within: [2, 0, 1, 0, 0, 0, 0, 4],
            took: Duration::from_millis(1_500),
            errors: 0,
        };
        let mut text = Text::default();
        text.histogram("seconds", ("operation", "read"), &done);
        let lines: Vec<_> = text.0.lines().collect();
        assert_eq!(lines[0], "mediafs_seconds_bucket{operation=\"read\",le=\"0.00001\"} 2");
        assert_eq!(lines[2], "mediafs_seconds_bucket{operation=\"read\",le=\"0.001\"} 3");
        assert_eq!(
            lines[7..],
            [
                "mediafs_seconds_bucket{operation=\"read\",le=\"+Inf\"} 7",
                "mediafs_seconds_sum{operation=\"read\"} 1.5",
                "mediafs_seconds_count{operation=\"read\"} 7",
            ]
        );
    }
}
