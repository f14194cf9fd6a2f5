//! nginx, whose worker runs as another user than the mount, and PHP behind it: pictures that they serve and upload.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ftp::Ftp;
use super::samba::Samba;
use super::server_process::{Server, free_address, program};
use super::{Upload, config, site, site_with};
use crate::mount::daemon::Mount;
use crate::mount::picture::{self, Bytes};
use crate::mount::tool::{Done, installed, present, run};
use crate::mount::{names, read};

pub struct Nginx {
    _server: Server,
    address: SocketAddr,
}

impl Nginx {
    pub fn start(mount: &Mount) -> Option<Self> {
        let program = program("nginx").filter(|_| installed("curl"))?;
        let home = mount.beside("nginx");
        fs::create_dir(&home).expect("a directory");
        let address = free_address();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {kind};\n"))
            .concat();
        let config = format!(
            "daemon off;\nuser www-data;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr notice;\n\
             events {{ worker_connections 64; }}\nhttp {{\ninclude /etc/nginx/mime.types;\n\
             default_type application/octet-stream;\naccess_log off;\n{temporary}\
             server {{\nlisten {address};\nroot {root};\n\
             location /thumb/ {{ try_files /thumbs/user/42/avatar/$arg_spec.webp /models/user/42/avatar =404; }}\n\
             location /models/ {{ dav_methods PUT DELETE; client_max_body_size 0; }}\n\
             location /form {{ fastcgi_pass unix:{php}; include /etc/nginx/fastcgi_params;\n\
             fastcgi_param SCRIPT_FILENAME {form}; }}\n}}\n}}\n",
            root = mount.mountpoint().display(),
            php = mount.beside("php.sock").display(),
            form = mount.beside("form.php").display(),
        );
        fs::write(home.join("nginx.conf"), config).expect("the configuration");
        let mut command = Command::new(program);
        command.arg("-p").arg(&home).args(["-c", "nginx.conf", "-e", "stderr"]);
        let server = Server::start(&mut command, "start worker process ");
        Some(Self { _server: server, address })
    }

    fn curl(&self, options: &[&str], path: &str) -> Done {
        let url = format!("http://{}{path}", self.address);
        run("curl", &[&["-sS"], options, &[&url]].concat())
    }

    /// Sends a file to a name in the row. Returns the headers of the answer.
    pub fn put(&self, source: &Path, name: &str) -> Done {
        let source = source.display().to_string();
        let options = ["-D", "-", "-o", "/dev/null", "-T", &source];
        self.curl(&options, &format!("/models/user/42/{name}"))
    }

    /// The body of a GET.
    pub fn get(&self, mount: &Mount, path: &str) -> Bytes {
        let file = mount.outside("served", b"");
        let done = self.curl(&["-f", "-o", &file.display().to_string()], path);
        assert_eq!(done.code, 0, "{path}: {done}");
        read(&file)
    }

    /// The status line and the headers of a GET, in lower case.
    fn headers(&self, options: &[&str], path: &str) -> String {
        let options = [&["-D", "-", "-o", "/dev/null"], options].concat();
        self.curl(&options, path).stdout.to_ascii_lowercase()
    }

    fn header(&self, name: &str, path: &str) -> String {
        let headers = self.headers(&[], path);
        let value = headers.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        value.unwrap_or_else(|| panic!("no {name} of {path}: {headers}")).trim().to_owned()
    }
}

const W64: &str = "/thumbs/user/42/avatar/w64.webp";

#[test]
fn nginx_serves_variants_and_originals_with_their_types() {
    let Some(mount) = site() else { return };
    let Some(nginx) = Nginx::start(&mount) else { return };
    fs::write(mount.row().join("avatar.png"), picture::good(1)).expect("taken");
    for (path, media_type) in [
        (W64, "image/webp"),
        ("/thumbs/user/42/avatar/w64.jpg", "image/jpeg"),
        ("/models/user/42/avatar@w64.png", "image/png"),
        ("/models/user/42/avatar.png", "image/png"),
        // nginx knows types by their extension only.
        ("/models/user/42/avatar", "application/octet-stream"),
    ] {
        assert_eq!(nginx.header("content-type", path), media_type, "{path}");
        let file = fs::metadata(mount.path(&path[1..])).expect("stat");
        assert_eq!(nginx.header("content-length", path), file.len().to_string(), "{path}");
    }
    for path in
        ["/thumbs/user/42/avatar/w65.webp", "/models/user/42/avatar.webp", "/models/user/7/"]
    {
        assert!(nginx.headers(&[], path).starts_with("http/1.1 404"), "{path}");
    }
}

#[test]
fn nginx_serves_ranges_of_a_variant() {
    let Some(mount) = site() else { return };
    let Some(nginx) = Nginx::start(&mount) else { return };
    mount.attach("avatar", &picture::good(1));
    let whole = read(&mount.path(&W64[1..]));
    let part = mount.outside("part", b"");
    let path = part.display().to_string();
    let headers = nginx.curl(&["-D", "-", "-o", &path, "-r", "8-31"], W64).stdout;
    assert!(headers.starts_with("HTTP/1.1 206 Partial Content"), "{headers}");
    assert!(headers.contains(&format!("Content-Range: bytes 8-31/{}", whole.len())), "{headers}");
    assert_eq!(read(&part), &whole[8..32]);
}

#[test]
fn an_etag_is_stable_when_a_variant_is_rendered_again_and_changes_with_the_picture() {
    let Some(mount) = site_with(&config().with("cache.size = '0 B'")) else { return };
    let Some(nginx) = Nginx::start(&mount) else { return };
    mount.attach("avatar", &picture::good(1));
    let first = nginx.header("etag", W64);
    let unmodified = nginx.headers(&["-H", &format!("If-None-Match: {first}")], W64);
    assert!(unmodified.starts_with("http/1.1 304"), "{unmodified}");
    let is_rendered = || names(&mount.path("thumbs/user/42/avatar")).contains(&"w64.webp".into());
    assert!(is_rendered());
    mount.collect();
    assert!(!is_rendered(), "the cache is empty");
    assert_eq!(nginx.header("etag", W64), first);
    assert!(is_rendered(), "rendered again");
    mount.attach("avatar", &picture::good(2));
    assert_ne!(nginx.header("etag", W64), first, "another picture");
}

#[test]
fn nginx_falls_back_to_the_original_if_a_variant_is_not_offered() {
    let Some(mount) = site() else { return };
    let Some(nginx) = Nginx::start(&mount) else { return };
    assert!(
        nginx.headers(&[], "/thumb/?spec=w64").starts_with("http/1.1 404"),
        "without a picture"
    );
    mount.attach("avatar", &picture::good(1));
    assert_eq!(nginx.header("content-type", "/thumb/?spec=w64"), "image/webp");
    let original = picture::good(1).len().to_string();
    assert_eq!(nginx.header("content-length", "/thumb/?spec=w9999"), original);
}

/// `dav_methods PUT`: nginx copies the body beside the target, then renames it.
#[test]
fn an_upload_to_nginx_answers_as_in_the_table() {
    let Some(mount) = site() else { return };
    let Some(nginx) = Nginx::start(&mount) else { return };
    Upload("nginx `PUT`").is_held_to_the_table(&mount, |source, target| {
        let name = target.file_name().and_then(|name| name.to_str()).expect("a name");
        nginx.put(source, name)
    });
    let all = mount.refusals();
    assert!(
        all.iter().all(|it| it["rule"] != "not_a_field"),
        "its temporary names are known: {all:?}"
    );
}

const FORM: &str = r#"<?php
// An application checks the upload, keeps it and looks at it.
header('Content-Type: text/plain');
ini_set('html_errors', '0');
['picture' => $sent] = $_FILES;
['to' => $target, 'way' => $way] = $_GET;
if ($way === 'move') {
    $taken = move_uploaded_file($sent['tmp_name'], $target);
} elseif ($way === 'rename') {
    $taken = move_uploaded_file($sent['tmp_name'], "$target.tmp") && rename("$target.tmp", $target);
    if (!$taken) { unlink("$target.tmp"); }
} else {
    $taken = imagepng(imagescale(imagecreatefrompng($target), $sent['name'], -1), $target);
}
echo 'taken: ', var_export($taken, true), "\n";
clearstatcache();
echo 'size: ', getimagesize($target)[3] ?? 'none', "\n";
"#;

pub struct Php {
    pub nginx: Nginx,
    _server: Server,
}

impl Php {
    pub fn start(mount: &Mount) -> Option<Self> {
        let program = fpm()?;
        let home = mount.beside("php");
        fs::create_dir(&home).expect("a directory");
        let uid = fs::metadata(mount.row()).expect("the row").uid();
        chown(&home, Some(uid), None).expect("given away");
        mount.outside("form.php", FORM.as_bytes());
        let config = format!(
            "[global]\ndaemonize = no\n[www]\nuser = www-data\ngroup = www-data\nlisten = {}\n\
             listen.owner = www-data\npm = static\npm.max_children = 1\n\
             php_admin_value[upload_tmp_dir] = {}\nphp_admin_flag[display_errors] = on\n",
            mount.beside("php.sock").display(),
            home.display()
        );
        let config = mount.outside("fpm.conf", config.as_bytes());
        let mut command = Command::new(program);
        command.args(["-F", "-O", "-y"]).arg(config);
        let server = Server::start(&mut command, "ready to handle connections");
        Some(Self { nginx: Nginx::start(mount)?, _server: server })
    }

    /// Sends a file by the form.
    pub fn send(&self, way: &str, picture: &str, target: &Path) -> Done {
        let path = format!("/form?way={way}&to={}", target.display());
        self.nginx.curl(&["-F", &format!("picture={picture}")], &path)
    }
}

/// The program of php-fpm, which has the version in its name in Debian.
fn fpm() -> Option<PathBuf> {
    let programs = fs::read_dir("/usr/sbin").expect("programs");
    let mut found = programs.map(|entry| entry.expect("an entry").path());
    let found = found.find(|path| path.display().to_string().starts_with("/usr/sbin/php-fpm"));
    present("php-fpm", found.is_some());
    found
}

fn form_is_held_to_the_table(client: &str, way: &str) {
    let Some(mount) = site() else { return };
    let Some(php) = Php::start(&mount) else { return };
    Upload(client).is_held_to_the_table(&mount, |source, target| {
        php.send(way, &format!("@{}", source.display()), target)
    });
}

#[test]
fn a_form_that_moves_its_upload_answers_as_in_the_table() {
    form_is_held_to_the_table("PHP move_uploaded_file()", "move");
}

#[test]
fn a_form_that_renames_its_upload_answers_as_in_the_table() {
    form_is_held_to_the_table("PHP move_uploaded_file(), rename()", "rename");
}

#[test]
fn gd_opens_a_picture_and_saves_it_in_place() {
    let Some(mount) = site() else { return };
    let Some(php) = Php::start(&mount) else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    // The script takes the width from the name of the file.
    let scale = |width: &str| php.send("gd", &format!("@/dev/null;filename={width}"), &avatar);
    let done = scale("80");
    assert_eq!(done.stdout, "taken: true\nsize: width=\"80\" height=\"60\"\n");
    assert_eq!(picture::png_size(&read(&avatar)), (80, 60));
    let done = scale("40");
    assert!(done.stdout.contains("taken: true"), "{done}");
    let said = "failed with errno=34 Numerical result out of range";
    assert!(done.stdout.contains(said), "GD reports the errno and returns true: {done}");
    assert!(
        done.stdout.contains("size: width=\"80\" height=\"60\""),
        "the old picture stays: {done}"
    );
    assert_eq!(names(&mount.row()), ["avatar"]);
}

#[test]
fn an_upload_by_ftp_samba_or_a_form_is_served_with_its_thumbnail() {
    let Some(mount) = site().filter(|_| installed("curl")) else { return };
    let (Some(ftp), Some(samba)) = (Ftp::vsftpd(&mount), Samba::start(&mount)) else { return };
    let Some(php) = Php::start(&mount) else { return };
    let avatar = mount.row().join("avatar.png");
    let source = |seed| mount.outside("source.png", &picture::good(seed));
    let mut thumbs = Vec::new();
    for (seed, way) in [(1, "ftp"), (2, "samba"), (3, "form")] {
        let done = match way {
            "ftp" => ftp.send(&source(seed), "avatar.png"),
            "samba" => samba.put(&source(seed), "avatar.png"),
            _ => php.send("rename", &format!("@{}", source(seed).display()), &avatar),
        };
        assert_eq!(read(&avatar), picture::good(seed), "{way}: {done}");
        let thumb = php.nginx.get(&mount, "/thumbs/user/42/avatar/w64.png");
        assert_eq!(picture::png_size(&thumb), (64, 48), "{way}");
        assert!(!thumbs.contains(&thumb), "{way}: the thumbnail is that of the new picture");
        thumbs.push(thumb);
    }
    assert_eq!(names(&mount.row()), ["avatar.png"]);
}
