//! `curl -o`.

use std::path::Path;

use super::tool::{Done, installed, run};
use super::{accepts, refuses, replaces};

fn curl(source: &Path, target: &Path) -> Done {
    let url = format!("file://{}", source.display());
    run("curl", &["-sS", "-o", &target.display().to_string(), &url])
}

#[test]
fn curl_attaches() {
    if installed("curl") {
        accepts(curl);
    }
}

#[test]
fn curl_replaces() {
    if installed("curl") {
        replaces(curl);
    }
}

#[test]
fn curl_is_told_of_a_refusal() {
    if installed("curl") {
        // CURLE_WRITE_ERROR
        refuses(curl).noticed(23);
    }
}
