//! `mediafs check-config`: checks a configuration, and prints what it declares, and what it would hide of the library.

use std::fmt::Write;
use std::path::Path;

use clap::Args;

use crate::cli::assembly;
use crate::cli::error::Error;
use crate::cli::print::{say, warn};
use crate::config::Config;
use crate::fence::chain;
use words::rule::Kind;
use words::schema::Field;

/// Check the configuration and say what it declares
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs check-config
  mediafs --config /etc/mediafs/site.toml check-config

Every mistake is printed as FILE:LINE:COLUMN, the key, and a hint; the exit code is then 2.
Of a library that exists, files are named that the configuration would not show.")]
pub struct CheckConfig {}

impl CheckConfig {
    // Every command runs as a method.
    #[allow(clippy::unused_self)]
    pub fn run(&self, path: &Path, config: &Config) -> Result<(), Error> {
        say(summary(path, config))?;
        match assembly::hidden(config) {
            Ok(found) => found.iter().try_for_each(say),
            // Another user's library, perhaps: the configuration is valid all the same.
            Err(error) => {
                warn(&format!("what the library holds was not compared: {}", chain(&error)));
                Ok(())
            }
        }
    }
}

fn summary(path: &Path, config: &Config) -> String {
    let mut text = format!("{}: valid\nlibrary: {}", path.display(), config.library.path.display());
    for store in &config.stores {
        let _ = write!(text, "\nstore {}: {}", store.name, store.path.display());
    }
    for table in &config.schema.tables {
        for field in &table.fields {
            let name = format!("{}.{}", table.name, field.name);
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{name:<24} {}", describe(field));
        }
    }
    text
}

fn describe(field: &Field) -> String {
    let kind = match field.rules.kind {
        Kind::File => "file",
        Kind::Image => "image",
    };
    let mut text = format!("{kind}, {} at most", field.rules.max_size);
    if let Some(fit) = field.rules.normal.fit {
        let _ = write!(text, ", shrunk into {fit}");
    }
    if let Some(format) = field.rules.normal.format {
        let _ = write!(text, ", stored as {}", format.name());
    }
    if field.keep_original {
        text.push_str(", original kept");
    }
    if let Some(store) = &field.store {
        let _ = write!(text, ", in {store}");
    }
    text
}
