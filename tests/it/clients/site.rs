//! A whole site: pictures come by FTP, Samba and a form, and the web server serves their thumbnails.

use super::ftp::Ftp;
use super::samba::Samba;
use super::site;
use super::web::Php;
use crate::mount::read;
use crate::mount::tool::installed;
use crate::mount::{names, picture};

#[test]
fn what_comes_by_ftp_samba_and_a_form_is_served_with_its_thumbnail() {
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
        assert!(!thumbs.contains(&thumb), "{way}: of the new picture");
        thumbs.push(thumb);
    }
    assert_eq!(names(&mount.row()), ["avatar.png"]);
}
