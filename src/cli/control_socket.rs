//! The control socket, through which a command sends a request to the daemon that holds the library: one line of JSON each way.
//! Every user who may enter the library's directory (0700) may send requests.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::error::Error;
use crate::fence::chain;
use crate::fuse::mount::daemons;

const NAME: &str = "control.sock";
/// The longest line either way, in bytes.
const MAX_LINE: u64 = 1 << 20;
/// How long a client may take to send its request or to read its answer.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a command waits for its answer. A sweep of a large library takes minutes.
const ANSWER_PATIENCE: Duration = Duration::from_secs(600);

/// A request to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Sweep: `{"gc":{"now":true,"dry_run":false}}`, also `"empty_trash":true`.
    Gc {
        now: bool,
        dry_run: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        empty_trash: bool,
    },
    /// List a page of orphans: `{"orphans":{"after":0}}`.
    Orphans { after: u64 },
    /// Attach a removed file again: `{"restore":{"what":"17"}}`, also `"target":"user/42/avatar"` and `"replace":true`.
    Restore(Wish),
    /// List what was removed at a path of the tree or below it: `{"lost":{"path":"user/42"}}`.
    Lost { path: String },
    /// Describe an attachment by its path in the tree: `{"show":{"path":"user/42/avatar"}}`.
    Show { path: String },
    /// Return the content of `status.json`: `{"status":{}}`.
    Status {},
    /// List a page of the quarantine, from above an id: `{"refused":{"after":null}}`.
    Refused { after: Option<String> },
    /// Attach an entry of the quarantine again: `{"retry":{"id":"1k3x9a7c0q2"}}`.
    Retry { id: String },
    /// Delete an entry of the quarantine.
    Drop { id: String },
    /// Move the files of a page of rows to another field: `{"move_field":{"from":"user.photo","to":"user.avatar","after":0}}`.
    #[serde(rename = "move_field")]
    MoveField { from: String, to: String, after: u64 },
    /// Render a variant for a read-only mount: `{"render":{"attachment":17,"variant":"w200.jpg"}}`.
    Render { attachment: u64, variant: String },
}

/// The arguments of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    pub what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

/// The daemon's end of the socket. Dropped without [`Server::stop`], it leaves the socket file behind.
pub struct Server {
    dir: PathBuf,
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Binds the socket in a library's directory, and replaces one that no process listens on.
/// Errors: [`Error::ControlTaken`] if a process listens.
pub fn bind(library: &Path) -> Result<UnixListener, Error> {
    let failed = |source| Error::Control { action: "bind", path: library.join(NAME), source };
    let (_directory, path) = door(library).map_err(failed)?;
    match UnixStream::connect(&path) {
        Ok(_) => return Err(Error::ControlTaken(library.join(NAME))),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(&path).map_err(failed)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    UnixListener::bind(path).map_err(failed)
}

/// Answers requests in a thread of its own, one after the other.
pub fn serve(
    library: &Path,
    listener: UnixListener,
    handler: impl Fn(Request) -> Result<Value, Error> + Send + 'static,
) -> Result<Server, Error> {
    let ending = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ending);
    let thread = thread::Builder::new()
        .name("control".into())
        .spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Acquire) {
                    break;
                }
                // The client has sent nonsense or is gone: the next one is served.
                if let Err(error) = stream.and_then(|stream| answer(&stream, &handler)) {
                    tracing::debug!(%error, "a request on the control socket failed");
                }
            }
        })
        .map_err(Error::Thread)?;
    Ok(Server { dir: library.to_owned(), ending, thread })
}

impl Server {
    /// Ends the thread after its current request, and removes the socket.
    pub fn stop(self) {
        self.ending.store(true, Ordering::Release);
        let Ok((_directory, path)) = door(&self.dir) else { return };
        // The connection wakes the thread out of accept. If it is refused, the thread has ended.
        if UnixStream::connect(&path).is_ok() && self.thread.join().is_err() {
            tracing::warn!("the control socket's thread panicked");
        }
        // A socket that stays is replaced at the next start.
        let _ = fs::remove_file(path);
    }
}

/// Asks the daemon that holds a library. `None`: none is running. Errors: [`Error::Refused`] if the request failed there.
pub fn ask<A: DeserializeOwned>(library: &Path, request: &Request) -> Result<Option<A>, Error> {
    let failed = |source| Error::Control { action: "use", path: library.join(NAME), source };
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    let connected = door(library).and_then(|(_directory, path)| UnixStream::connect(path));
    let stream = match connected {
        // A daemon that was killed and cannot end still listens, and never answers.
        Ok(stream) if daemons::listener(&stream).is_some_and(daemons::is_dying) => {
            daemons::end_dead();
            return Ok(None);
        }
        Ok(stream) => stream,
        Err(error) if absent.contains(&error.kind()) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    stream.set_read_timeout(Some(ANSWER_PATIENCE)).map_err(failed)?;
    stream.set_write_timeout(Some(CLIENT_PATIENCE)).map_err(failed)?;
    send(&stream, request).map_err(failed)?;
    let line = receive(&stream).map_err(failed)?;
    let answer: Value = serde_json::from_slice(&line).map_err(|_| Error::ControlAnswer)?;
    if let Some(error) = answer["error"].as_str() {
        return Err(Error::Refused(error.to_owned()));
    }
    serde_json::from_value(answer).map(Some).map_err(|_| Error::ControlAnswer)
}

fn answer(
    stream: &UnixStream,
    handler: impl Fn(Request) -> Result<Value, Error>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(CLIENT_PATIENCE))?;
    stream.set_write_timeout(Some(CLIENT_PATIENCE))?;
    let line = receive(stream)?;
    let answer = match serde_json::from_slice(&line) {
        Ok(request) => handler(request).map_err(|error| chain(&error)),
        Err(error) => Err(format!("not a request: {error}")),
    };
    send(stream, &answer.unwrap_or_else(|error| json!({ "error": error })))
}

fn send(mut stream: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line)
}

fn receive(stream: &UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_LINE)).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The socket's path by way of the library's directory, which must stay open meanwhile: a socket's name has 108 bytes at most
/// (unix(7)), a library's path may have more.
fn door(library: &Path) -> io::Result<(File, PathBuf)> {
    let directory = File::open(library)?;
    let path = format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()).into();
    Ok((directory, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::keep::sweeper::Swept;

    fn library() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    fn start(dir: &Path) -> Server {
        let handler = |request| match request {
            Request::Gc { now: true, .. } => {
                Ok(json!({ "attachments": 1, "blobs": 3, "bytes": 5 }))
            }
            Request::Gc { .. } => Err(Error::Refused("busy".into())),
            Request::Orphans { .. } => Ok(json!({ "orphans": [] })),
            Request::Restore(wish) => Ok(json!({ "restored": wish.what })),
            Request::Show { path } => Ok(json!({ "path": path })),
            _ => Err(Error::Refused("not in this test".into())),
        };
        serve(dir, bind(dir).expect("a socket"), handler).expect("a server")
    }

    #[test]
    fn a_request_gets_its_answer() {
        let dir = library();
        let server = start(dir.path());
        let gc = |now| Request::Gc { now, dry_run: false, empty_trash: false };
        let swept = Swept { attachments: 1, blobs: 3, bytes: 5 };
        assert_eq!(ask(dir.path(), &gc(true)).expect("an answer"), Some(swept));
        let refused = ask::<Swept>(dir.path(), &gc(false)).expect_err("a refusal");
        assert!(matches!(refused, Error::Refused(reason) if reason == "busy"));
        let shown = |request| ask::<Value>(dir.path(), &request).expect("an answer");
        let orphans = Request::Orphans { after: 9 };
        assert_eq!(shown(orphans), Some(json!({ "orphans": [] })));
        let restore = Request::Restore(Wish { what: "17".into(), target: None, replace: false });
        assert_eq!(shown(restore), Some(json!({ "restored": "17" })));
        let show = Request::Show { path: "a".into() };
        assert_eq!(shown(show.clone()), Some(json!({ "path": "a" })));
        assert!(matches!(ask::<Swept>(dir.path(), &show), Err(Error::ControlAnswer)));
        server.stop();
        assert!(!dir.path().join(NAME).exists());
    }

    #[test]
    fn requests_and_answers_are_written_as_documented() {
        let request = Request::Gc { now: true, dry_run: false, empty_trash: false };
        let json = serde_json::to_string(&request).expect("JSON");
        assert_eq!(json, r#"{"gc":{"now":true,"dry_run":false}}"#);
        let json =
            serde_json::to_string(&Swept { attachments: 1, blobs: 3, bytes: 5 }).expect("JSON");
        assert_eq!(json, r#"{"attachments":1,"blobs":3,"bytes":5}"#);
        let wish = Wish { what: "17".into(), target: None, replace: true };
        let json = serde_json::to_string(&Request::Restore(wish)).expect("JSON");
        assert_eq!(json, r#"{"restore":{"what":"17","replace":true}}"#);
    }

    #[test]
    fn without_a_daemon_there_is_no_answer() {
        let dir = library();
        let request = Request::Gc { now: true, dry_run: true, empty_trash: false };
        for library in [dir.path().to_owned(), dir.path().join("absent")] {
            assert_eq!(ask::<Value>(&library, &request).expect("no error"), None);
        }
    }

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let dir = library();
        drop(bind(dir.path()).expect("a socket"));
        assert!(dir.path().join(NAME).exists());
        let server = start(dir.path());
        assert!(matches!(bind(dir.path()), Err(Error::ControlTaken(_))));
        server.stop();
    }

    #[test]
    fn nonsense_is_answered_with_an_error_and_the_next_client_is_served() {
        let dir = library();
        let server = start(dir.path());
        let (_directory, path) = door(dir.path()).expect("the directory");
        let mut stream = UnixStream::connect(&path).expect("a connection");
        stream.write_all(b"{\"format\":\"disk\"}\n").expect("a line");
        let line = String::from_utf8(receive(&stream).expect("an answer")).expect("text");
        assert!(line.starts_with(r#"{"error":"not a request: "#), "{line}");
        drop(UnixStream::connect(path).expect("a client that goes away"));
        let request = Request::Show { path: "b".into() };
        assert!(ask::<Value>(dir.path(), &request).expect("an answer").is_some());
        server.stop();
    }

    #[test]
    fn a_library_with_a_long_path_has_a_control_socket() {
        let dir = library();
        let long = dir.path().join("x".repeat(200));
        fs::create_dir(&long).expect("a directory");
        start(&long).stop();
    }
}
