//! Laws of the configuration: which values are read, and how every mistake is named.

mod sections;

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use super::{Config, SAMPLE, load, parse};
use words::access::Policy;
use words::byte_count::ByteCount;
use words::dimensions::Dimensions;
use words::media_type::Format;
use words::quarantine_bounds::Bounds;
use words::quota::Quota;
use words::rule::{Crop, Edge, Kind, Resize};
use words::schema::{Collection, IdRule, OnRefuse, Report, Sizes};

const HEAD: &str = "[library]\npath = \"/srv\"\n[tables.user]\nid = \"integer\"\n";

/// A configuration with one image field, from line 5; its first key is on line 7.
fn image(keys: &str) -> String {
    format!("{HEAD}[tables.user.fields.avatar]\ntype = \"image\"\n{keys}\n")
}

fn file(keys: &str) -> String {
    format!("{HEAD}[tables.user.fields.cv]\ntype = \"file\"\n{keys}\n")
}

fn good(text: &str) -> Config {
    parse(text, "mediafs.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn bad(text: &str) -> String {
    parse(text, "mediafs.toml").expect_err("mistakes").to_string()
}

/// The message on one key of an image field, without the place.
fn said(key: &str) -> String {
    let all = bad(&image(key));
    let start = "mediafs.toml:7:";
    let rest = all.strip_prefix(start).unwrap_or_else(|| panic!("{all}"));
    let (_, message) = rest.split_once(": ").expect("a message");
    message.replace(" in [tables.user.fields.avatar]", "")
}

#[test]
fn the_sample_is_a_valid_configuration() {
    let config = good(SAMPLE);
    let avatar = config.schema.table("user").and_then(|table| table.field("avatar"));
    let avatar = avatar.expect("the sample's avatar");
    assert_eq!(config.library.path, PathBuf::from("./mediafs-data"));
    assert_eq!(avatar.rules.max_size, ByteCount(5 << 20));
    assert_eq!(avatar.rules.normal.format, Some(Format::Jpeg));
    assert_eq!(avatar.thumbnails.len(), 2);
    let names = |table: &words::schema::Table| {
        table.fields.iter().map(|field| field.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        config.schema.tables.iter().map(names).collect::<Vec<_>>(),
        [vec!["avatar", "photos", "resume"], vec!["cover", "attachment"]]
    );
    assert_eq!(config.schema.tables[1].id, IdRule::Name);
}

#[test]
fn what_the_sample_has_commented_out_is_valid_too() {
    let mut text = String::new();
    for line in SAMPLE.lines() {
        let commented =
            line.strip_prefix("# ").filter(|rest| rest.contains(" = ") || rest.starts_with('['));
        let commented = commented.filter(|rest| !rest.ends_with('.'));
        // Names of users and groups may not exist on the machine that runs the tests.
        let named = |rest: &&str| rest.starts_with("owner") || rest.starts_with("group");
        let line = commented.filter(|rest| !named(rest)).unwrap_or(line);
        writeln!(text, "{line}").expect("text");
    }
    let config = good(&text);
    assert_eq!(config.mount.threads, Some(4));
    assert_eq!(config.library.base_url.as_deref(), Some("https://media.example.org"));
}

#[test]
fn a_key_that_is_not_set_has_its_default() {
    let config = good(&image(""));
    assert_eq!(config.library.hold, Duration::from_secs(60));
    assert_eq!(config.library.scratch, Duration::from_secs(86_400));
    assert_eq!(config.mount.access, Policy::default());
    assert_eq!(config.schema.tables[0].access, Policy::default());
    assert_eq!(config.cache, ByteCount(1 << 30));
    let field = &config.schema.tables[0].fields[0];
    assert_eq!(field.rules, words::rule::Rules::image());
    assert_eq!(
        (field.sizes.clone(), field.delete_orphan, field.mode),
        (Sizes::Steps(vec![10, 16]), true, None)
    );
    assert_eq!(good(&file("")).schema.tables[0].fields[0].rules, words::rule::Rules::file());
}

#[test]
fn every_rule_of_an_image_is_read() {
    let config = good(&image(
        "min_size = \"1 KiB\"\nmax_size = \"1 MiB\"\nmin_width = 1\nmax_width = 2000\nmin_height = 2\n\
         max_height = 3_000\nmin_ratio = 0.5\nmax_ratio = 2\nmax_pixels = 1000000\norient = false\n\
         metadata = \"keep\"\nresize = \"800x\"\ncrop = \"0,10%,50%,90%\"\nquality = 80\n\
         sizes = \"listed\"\nmode = \"0640\"\ncollection = \"one\"\nkeep_original = false\n\
         on_refuse = \"refuse\"\ndelete_orphan = true",
    ));
    let field = &config.schema.tables[0].fields[0];
    let rules = &field.rules;
    assert_eq!((rules.min_size, rules.max_size), (ByteCount(1024), ByteCount(1 << 20)));
    assert_eq!((rules.min_width, rules.max_height), (Some(1), Some(3000)));
    assert_eq!((rules.min_ratio, rules.max_ratio), (Some(0.5), Some(2.0)));
    assert_eq!(rules.normal.resize, Some(Resize::Width(800)));
    let (left, top) = (Edge::Pixels(0), Edge::Percent(10.0));
    let (right, bottom) = (Edge::Percent(50.0), Edge::Percent(90.0));
    assert_eq!(rules.normal.crop, Some(Crop { left, top, right, bottom }));
    assert_eq!((field.sizes.clone(), field.mode), (Sizes::Listed, Some(0o640)));
}

/// A table with these keys, from line 5.
fn table(keys: &str) -> String {
    format!("{HEAD}{keys}\n[tables.user.fields.cv]\ntype = \"file\"\n")
}

#[test]
fn a_table_fixes_owner_group_and_modes() {
    let fixed = |keys: &str| good(&table(keys)).schema.tables[0].access;
    let own = |uid, gid| Policy { uid, gid, ..Policy::default() };
    assert_eq!(fixed("owner = \"root\""), own(Some(0), Some(0)), "with the user's own group");
    assert_eq!(fixed("owner = \"1000:100\""), own(Some(1000), Some(100)));
    assert_eq!(fixed("owner = \"1000\"\ngroup = \"100\""), own(Some(1000), Some(100)));
    assert_eq!(fixed("group = \"root\""), own(None, Some(0)), "whoever writes, in one group");
    let modes = Policy { file_mode: Some(0o640), dir_mode: Some(0o750), ..Policy::default() };
    assert_eq!(fixed("file_mode = \"0640\"\ndir_mode = \"750\""), modes);
}

#[test]
fn an_owner_or_mode_that_cannot_be_is_told_with_its_place_and_the_way_out() {
    for (keys, told) in [
        (
            "owner = \"nobody-at-all\"",
            "5:9: `owner` in [tables.user]: there is no user \"nobody-at-all\" in /etc/passwd; give a name or a number",
        ),
        (
            "group = \"nobody-at-all\"",
            "5:9: `group` in [tables.user]: there is no group \"nobody-at-all\" in /etc/group; give a name or a number",
        ),
        (
            "owner = \"4000000\"",
            "5:9: `owner` in [tables.user]: user 4000000 is not in /etc/passwd, so its group is unknown; write \"4000000:<group>\"",
        ),
        (
            "group = \"0\"\nowner = \"root:0\"",
            "6:9: `owner` in [tables.user]: \"root:0\" names a group, and so does `group`; say it once",
        ),
        (
            "owner = 1000",
            "5:9: `owner` in [tables.user]: expected a user such as \"www-data\" or \"1000:1000\", found an integer",
        ),
        (
            "file_mode = \"0999\"",
            "5:13: `file_mode` in [tables.user]: expected permission bits such as \"0644\", in quotes, found \"0999\"",
        ),
        (
            "dir_mod = \"0755\"",
            "5:1: unknown key `dir_mod` in [tables.user]; did you mean `dir_mode`?",
        ),
    ] {
        assert_eq!(bad(&table(keys)), format!("mediafs.toml:{told}"), "{keys}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_was_meant() {
    assert_eq!(
        bad(&image("max_sise = \"5 MiB\"")),
        "mediafs.toml:7:1: unknown key `max_sise` in [tables.user.fields.avatar]; did you mean `max_size`?"
    );
    let text =
        format!("[libary]\npath = \"/srv\"\n{}", &image("")[HEAD.find("[tables").unwrap()..]);
    assert_eq!(
        bad(&text),
        "mediafs.toml:1:1: `[library]` is missing; it needs at least `path`, where everything is kept\n\
         mediafs.toml:1:2: unknown key `libary`; did you mean `library`?"
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_in_its_order() {
    let text = "[library]\npath = 5\nhold = \"60\"\n[mount]\nfile_mode = 644\nthreads = 65\n\
                [tables.user]\nid = \"int\"\n[tables.user.fields.a]\ntype = \"image\"\n\
                thumbnails = [\"w200\", \"200\", \"w0\"]\ncolour = 1\n";
    let lines: Vec<String> = bad(text).lines().map(str::to_owned).collect();
    let places: Vec<&str> =
        lines.iter().map(|line| line.split(": ").next().expect("a place")).collect();
    assert_eq!(
        places,
        [
            "mediafs.toml:2:8",
            "mediafs.toml:3:8",
            "mediafs.toml:5:13",
            "mediafs.toml:6:11",
            "mediafs.toml:8:6",
            "mediafs.toml:11:23",
            "mediafs.toml:11:30",
            "mediafs.toml:12:1",
        ]
    );
    assert!(lines[2].ends_with("`file_mode` in [mount]: expected permission bits such as \"0644\", in quotes, found an integer"));
}

#[test]
fn a_syntax_error_is_told_with_its_place() {
    let told = bad("[library\npath = \"/srv\"\n");
    assert!(told.starts_with("mediafs.toml:1:9: "), "{told}");
    assert!(bad("[library]\npath = \"/a\"\npath = \"/b\"\n").contains(":3:1: "));
}

#[test]
fn minimum_above_maximum_is_refused_for_sizes_sides_and_ratios() {
    assert_eq!(
        said("min_size = \"40 MiB\""),
        "`min_size`: min_size 40 MiB is above max_size 32 MiB (its default)"
    );
    assert_eq!(
        said("min_width = 9\nmax_width = 8"),
        "`min_width`: min_width 9 is above max_width 8"
    );
    assert_eq!(
        said("min_height = 20000"),
        "`min_height`: min_height 20000 is above max_height 16384 (its default)"
    );
    assert_eq!(
        said("min_ratio = 2\nmax_ratio = 1.5"),
        "`min_ratio`: min_ratio 2 is above max_ratio 1.5"
    );
}

#[test]
fn rules_that_no_image_can_meet_are_refused() {
    assert!(said("max_size = \"0 B\"").contains("nothing could ever be written"));
    assert!(said("max_pixels = 100\nmin_width = 20\nmin_height = 20").contains("ask for 400"));
    assert!(
        said("max_ratio = 2.0\nmin_width = 1000\nmax_height = 100")
            .contains("no ratio below 10.00")
    );
    assert!(
        said("min_ratio = 2.0\nmax_width = 100\nmin_height = 100").contains("no ratio above 1.00")
    );
    assert!(said("resize = \"800x600\"\nfit = \"10x10\"").contains("exclude one another"));
    assert!(
        said("crop = \"0,0,900,600\"\nresize = \"800x600\"").contains("reaches out of the 800x600")
    );
    assert!(said("crop = \"10,0,10,5\"").contains("keeps nothing"));
}

#[test]
fn values_out_of_their_range_are_refused() {
    for key in [
        "quality = 0",
        "quality = 101",
        "max_width = 65536",
        "min_width = 0",
        "min_width = -1",
        "min_width = 1.5",
        "min_ratio = 0",
        "max_ratio = nan",
        "max_ratio = inf",
        "mode = \"1777\"",
        "mode = \"888\"",
        "max_size = \"5\"",
        "max_size = 5",
        "fit = \"1600\"",
        "resize = \"x\"",
        "crop = \"1,2,3\"",
        "crop = \"0,0,101%,50%\"",
        "thumbnails = [\"w200.jpeg\"]",
        "thumbnails = \"w200\"",
        "sizes = 0",
        "sizes = \"every\"",
        "metadata = \"drop\"",
    ] {
        let (name, _) = key.split_once(' ').expect("a key");
        assert!(said(key).starts_with(&format!("`{name}`: ")), "{key}: {}", said(key));
    }
}

#[test]
fn a_format_that_cannot_be_written_or_read_is_refused() {
    assert_eq!(
        said("format = \"bmp\""),
        "`format`: bmp can be read but not written; use jpeg, png, gif, webp, avif"
    );
    assert_eq!(
        said("format = \"jpg\""),
        "`format`: \"jpg\" is not one of jpeg, png, gif, webp, avif; did you mean \"jpeg\"?"
    );
    assert!(said("content_types = [\"image/svg+xml\"]").contains("cannot be decoded here"));
    assert!(said("content_types = [\"image/jpg\"]").contains("did you mean \"image/jpeg\"?"));
    assert!(said("content_types = []").contains("remove the key to take all types"));
    assert!(said("content_types = [\"application/pdf\"]").contains("is no image"));
    assert!(said("content_types = [\"text/*\"]").contains("is no image"));
    assert!(said("content_types = [\"image/tiff\"]").contains("add `format`"));
    good(&image("content_types = [\"image/tiff\", \"image/*\"]\nformat = \"png\""));
    good(&image("content_types = [\"image/avif\"]\nthumbnails = [\"w64\"]\nformat = \"avif\""));
}

#[test]
fn rules_for_images_are_refused_on_a_field_of_files() {
    for key in ["format = \"jpeg\"", "thumbnails = [\"w64\"]", "min_width = 5", "fit = \"9x9\""] {
        assert!(bad(&file(key)).contains("only images have this"), "{key}");
    }
}

#[test]
fn a_key_that_is_not_supported_yet_is_refused_and_never_ignored() {
    assert!(bad(&format!("{}[mount]\nread_only = true\n", image(""))).ends_with(
        "`read_only` in [mount]: mount with `mediafs mount --read-only` instead, or with `-o ro`"
    ));
    good(&format!("{}[fetch]\n[mount]\nread_only = false\n", image("")));
}

#[test]
fn a_field_says_what_the_writer_of_refused_bytes_is_told_and_where() {
    let field = |text: &str| good(&image(text)).schema.tables[0].fields[0].clone();
    let default = field("");
    assert_eq!((default.on_refuse, default.report), (OnRefuse::Refuse, Report::Log));
    assert_eq!(field("on_refuse = \"quarantine\"").on_refuse, OnRefuse::Quarantine);
    assert!(said("on_refuse = \"ignore\"").contains("refuse, quarantine"));
    let list = "collection = \"list\"\nreport = \"sidecar\"";
    assert_eq!(field(list).report, Report::Sidecar);
    assert!(said("report = \"sidecar\"").contains("only collections have sidecars"));
}

#[test]
fn a_collection_has_a_limit_of_its_own_or_ten_thousand() {
    let field = |more: &str| good(&image(more)).schema.tables[0].fields[0].clone();
    let told = |more: &str| {
        let field = field(more);
        (field.collection, field.max_items)
    };
    assert_eq!(told(""), (Collection::One, None));
    assert_eq!(told("collection = \"one\""), (Collection::One, None));
    assert_eq!(told("collection = \"list\""), (Collection::List, Some(10_000)));
    assert_eq!(told("collection = \"dict\"\nmax_items = 5"), (Collection::Dict, Some(5)));
    assert!(said("max_items = 5").contains("only collections have this"));
    assert!(said("collection = \"set\"").contains("is not one of one, list, dict"));
    let none = bad(&image("collection = \"list\"\nmax_items = 0"));
    assert!(none.contains("a whole number from 1 to 1000000"), "{none}");
}

#[test]
fn tables_and_fields_have_plain_names() {
    for name in ["Avatar", "\"a.b\"", "\"a@b\"", "\"row.json\"", "\"\"", "\"a b\""] {
        let text = image("").replace("fields.avatar", &format!("fields.{name}"));
        assert!(bad(&text).contains("1 to 40 of the characters"), "{name}");
    }
    assert!(bad(&image("").replace("user", &"u".repeat(41))).contains("1 to 40"));
}

#[test]
fn a_key_without_a_default_must_be_there() {
    assert_eq!(
        bad(""),
        "mediafs.toml:1:1: `[library]` is missing; it needs at least `path`, where everything is kept\n\
         mediafs.toml:1:1: `[tables]` is missing; declare a table, such as [tables.user]"
    );
    let text =
        "[library]\nhold = \"1s\"\n[tables.user]\n[tables.user.fields.a]\nmin_size = \"1 B\"\n";
    let told = bad(text);
    for wanted in [":1:2: `path` is missing", ":3:9: `id` is missing", ":4:21: `type` is missing"] {
        assert!(told.contains(wanted), "{wanted} not in\n{told}");
    }
    assert!(bad(HEAD).contains("has no field"));
}

#[test]
fn fields_of_both_kinds_are_told_apart() {
    let kinds = |text: &str| good(text).schema.tables[0].fields[0].rules.kind;
    assert_eq!(kinds(&image("")), Kind::Image);
    assert_eq!(kinds(&file("")), Kind::File);
    let fit = good(&image("fit = \"1600x1200\"")).schema.tables[0].fields[0].rules.normal.fit;
    assert_eq!(fit, Some(Dimensions::new(1600, 1200)));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let told = |name: &str| load(&dir.path().join(name)).expect_err("an error").to_string();
    assert!(
        told("absent.toml").starts_with("cannot read ")
            && told("absent.toml").ends_with("absent.toml")
    );
    std::fs::write(dir.path().join("binary"), [0xff, 0xfe]).expect("a file");
    assert!(told("binary").ends_with("is not UTF-8 text"));
    std::fs::write(dir.path().join("large"), vec![b'#'; (1 << 20) + 1]).expect("a file");
    assert!(told("large").contains("larger than 1 MiB"));
}
