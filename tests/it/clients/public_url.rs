//! Public URLs, served by nginx from a read-only mount as docs/OPERATIONS.md says.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use super::server_process::{Server, free_address, program};
use crate::config::Config;
use crate::mount::daemon::Mount;
use crate::mount::picture::{self, Bytes};
use crate::mount::reader::Reader;
use crate::mount::tool::{Done, installed, run};
use crate::mount::{attribute, read};
use crate::wait::until;

/// The server of the document, at this address, with this mountpoint.
fn documented(address: SocketAddr, root: &str) -> String {
    let document = include_str!("../../../docs/OPERATIONS.md");
    let lines = document.lines().skip_while(|line| *line != "    server {");
    let (mut text, mut count) = (String::new(), 0);
    for line in lines {
        text += &line.replace("/srv/mediafs/site-web", root).replace("80;", &format!("{address};"));
        text.push('\n');
        if line == "    }" {
            break;
        }
        count += 1;
    }
    assert!(count <= 6, "five lines in a server: {text}");
    text
}

fn nginx(mount: &Mount, reader: &Reader, address: SocketAddr) -> Option<Server> {
    let program = program("nginx").filter(|_| installed("curl"))?;
    let home = mount.beside("nginx");
    fs::create_dir(&home).expect("a directory");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    let config = format!(
        "daemon off;\nuser www-data;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr notice;\n\
         events {{ worker_connections 64; }}\nhttp {{\ninclude /etc/nginx/mime.types;\n\
         default_type application/octet-stream;\naccess_log off;\n{temporary}{}\n}}\n",
        documented(address, &reader.path("").display().to_string()),
    );
    fs::write(home.join("nginx.conf"), config).expect("the configuration");
    let mut command = Command::new(program);
    command.arg("-p").arg(&home).args(["-c", "nginx.conf", "-e", "stderr"]);
    Some(Server::start(&mut command, "start worker process "))
}

fn curl(options: &[&str], url: &str) -> Done {
    run("curl", &[&["-sS", "-g"], options, &[url]].concat())
}

/// The type and the bytes at a URL.
fn get(mount: &Mount, url: &str) -> (String, Bytes) {
    let file = mount.outside("served", b"");
    let output = file.display().to_string();
    let done = curl(&["-f", "-o", &output, "-w", "%{content_type}"], url);
    assert_eq!(done.code, 0, "{url}: {done}");
    (done.stdout.clone(), read(&file))
}

fn url(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no URL: {value}")).to_owned()
}

#[test]
fn public_urls_lead_a_web_server_to_the_files_and_to_presets_that_are_not_rendered() {
    let address = free_address();
    let config = Config::new()
        .with(&format!("library.base_url = 'http://{address}'"))
        .with("mount.allow_other = true")
        .with("mount.file_mode = '0644'")
        .with("mount.dir_mode = '0755'")
        .table("user", "name")
        .field("avatar", "image, thumbnails = ['w64', '32x32c.webp']")
        .field("memo", "file")
        .field("photos", "image, collection = 'list', thumbnails = ['w64']")
        .field("sides", "image, collection = 'dict'");
    let Some(mount) = config.mount() else { return };
    let row = mount.row_of("a b");
    let item = "caf\u{e9} #1?%.png";
    for (at, path) in ["avatar", &format!("photos/{item}"), "sides/front"].into_iter().enumerate() {
        fs::write(row.join(path), picture::good(u32::try_from(at).expect("few"))).expect("taken");
    }
    fs::write(row.join("memo"), "plain text").expect("taken");
    let document: Value = serde_json::from_slice(&read(&row.join("row.json"))).expect("JSON");
    let avatar = &document["avatar"];

    // Every place says the same.
    let time = avatar["timestamp"].as_str().expect("a time");
    let shown = format!("http://{address}/models/user/a%20b/avatar.png?_ts={time}");
    assert_eq!(url(&avatar["url"]), shown);
    assert_eq!(attribute::text(&row.join("avatar"), "user.mediafs.url"), shown);
    assert_eq!(fs::read_to_string(row.join("avatar.url")).expect("a URL"), format!("{shown}\n"));
    assert!(mount.command(&["show", "user/a b/avatar"]).stdout.contains(&shown));
    let photo = &document["photos"][0];
    let encoded =
        format!("http://{address}/models/user/a%20b/photos/caf%C3%A9%20%231%3F%25.png?_ts=");
    assert!(url(&photo["url"]).starts_with(&encoded), "{photo}");

    let reader = Reader::beside(&mount);
    let Some(_nginx) = nginx(&mount, &reader, address) else { return };
    until("readers see the row", || reader.path("models/user/a b/memo").exists());
    let sides = &document["sides"]["front"];
    for (at, object) in [avatar, photo, sides].into_iter().enumerate() {
        let served = get(&mount, &url(&object["url"]));
        let good = picture::good(u32::try_from(at).expect("few"));
        assert_eq!(served, ("image/png".to_owned(), good), "{object}");
    }
    assert_eq!(get(&mount, &url(&document["memo"]["url"])).1.0, b"plain text");

    // Nothing was rendered yet.
    assert_eq!(avatar["thumbnails"], Value::Array(Vec::new()));
    let preset = url(&avatar["presets"]["w64.png"]);
    assert_eq!(preset, format!("http://{address}/thumbs/user/a%20b/avatar/w64.png?_ts={time}"));
    let (kind, bytes) = get(&mount, &preset);
    assert_eq!((kind.as_str(), picture::png_size(&bytes).0), ("image/png", 64));
    assert_eq!(get(&mount, &url(&avatar["presets"]["32x32c.webp"])).0, "image/webp");
    assert_eq!(picture::png_size(&get(&mount, &url(&photo["presets"]["w64.png"])).1).0, 64);
    let rendered: Value = serde_json::from_slice(&read(&row.join("row.json"))).expect("JSON");
    let thumbnails = rendered["avatar"]["thumbnails"].as_array().expect("a list");
    assert!(
        thumbnails.iter().any(|thumbnail| url(&thumbnail[3]["url"]) == preset),
        "{thumbnails:?}"
    );
    let headers = curl(&["-I"], &shown).stdout.to_lowercase();
    assert!(headers.contains("cache-control: max-age="), "{headers}");
    for path in ["", ".mediafs/status.json", "trash", "models/user/a%20b/avatar.gif"] {
        let status =
            curl(&["-o", "/dev/null", "-w", "%{http_code}"], &format!("http://{address}/{path}"));
        assert_eq!(status.stdout, "404", "{path}");
    }
}
