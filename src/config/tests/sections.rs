//! Laws of the sections beside the tables: stores, quotas, trash, quarantine and downloads.

use super::*;

#[test]
fn what_may_be_fetched_is_public_unless_it_is_allowed() {
    let fetch = |keys: &str| good(&format!("{}[fetch]\n{keys}\n", image(""))).fetch;
    assert_eq!(good(&image("")).fetch, fetch(""));
    assert_eq!(fetch("").timeout, Duration::from_secs(60));
    assert_eq!((fetch("").allow, fetch("").max_size), (Vec::new(), None));
    let policy = fetch(
        "allow = [\"10.0.0.0/8\", \"::1\", \"cdn.internal:8080\"]\nmax_size = \"1 MiB\"\ntimeout = \"5s\"",
    );
    let allowed: Vec<String> = policy.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["10.0.0.0/8", "::1/128", "cdn.internal:8080"]);
    assert_eq!(policy.max_size, Some(ByteCount(1 << 20)));
    assert_eq!(policy.timeout, Duration::from_secs(5));
}

#[test]
fn what_cannot_be_fetched_by_is_refused_by_name() {
    let told = |keys: &str| {
        let all = bad(&format!("{}[fetch]\n{keys}\n", image("")));
        let (_, message) = all.split_once(" in [fetch]").unwrap_or_else(|| panic!("{all}"));
        message.to_owned()
    };
    assert_eq!(
        told("allow = [\"::1\", \"10.0.0.0/33\"]"),
        ": a range is an address and a number of bits, such as \"192.168.0.0/16\"; found \"10.0.0.0/33\""
    );
    assert!(told("allow = [\"*\"]").contains("or a host such as \"cdn.internal\"; found \"*\""));
    assert!(told("allow = [\"a:b\"]").starts_with(": a port is a number up to 65535"));
    assert!(told("allow = \"::1\"").contains("expected a list, found a string"));
    assert!(told("timeout = \"0\"").contains("from 1s to 1h"));
    assert!(told("timeout = \"2h\"").contains("from 1s to 1h"));
    assert!(told("max_size = \"0 B\"").contains("nothing could ever be fetched"));
    assert!(told("alow = []").contains("did you mean `allow`?"));
}

#[test]
fn quotas_are_of_tables_of_every_user_and_of_single_ones() {
    let text = "[quotas.tables.user]\nbytes = \"1 GiB\"\nfiles = 9\n[quotas.uid]\ndrafts = 3\n\
                [quotas.uids.1000]\nscratch = \"5 MiB\"\n";
    let quotas = good(&format!("{}{text}", image(""))).quotas;
    let user = quotas.tables.iter().next().map(|(name, quota)| (name.as_str(), *quota));
    let wanted = Quota { bytes: Some(1 << 30), files: Some(9), ..Quota::default() };
    assert_eq!(user, Some(("user", wanted)));
    assert_eq!(quotas.uid, Quota { drafts: Some(3), ..Quota::default() });
    assert_eq!(quotas.uids[&1000], Quota { scratch: Some(5 << 20), ..Quota::default() });
}

#[test]
fn a_quota_of_nobody_or_in_the_wrong_place_is_refused() {
    let told = |text: &str| bad(&format!("{}{text}\n", image("")));
    assert!(told("[quotas.tables.users]\nfiles = 1").contains("no table of this name"));
    assert!(told("[quotas.uids.0]\nfiles = 1").contains("root is held to no quota"));
    assert!(told("[quotas.uids.nobody-here]\nfiles = 1").contains("there is no user"));
    assert!(told("[quotas.uid]\nfile = 1").contains("did you mean `files`?"));
    assert!(told("[quotas.uid]\nfiles = -1").contains("a whole number from 0"));
    assert!(said("quota = \"1 GiB\"").contains("[quotas.tables.NAME]"));
    assert!(told("[tables.user.quota]\nbytes = \"1 GiB\"").contains("[quotas.tables.NAME]"));
}

#[test]
fn the_quarantine_has_bounds_of_age_count_and_size() {
    assert_eq!(good(&image("")).quarantine, Bounds::default());
    let text = format!("{}[quarantine]\nage = \"1h\"\ncount = 5\nsize = \"1 MiB\"\n", image(""));
    let wanted = Bounds { age: Duration::from_secs(3_600), count: 5, bytes: 1 << 20 };
    assert_eq!(good(&text).quarantine, wanted);
    assert!(bad(&format!("{}[quarantine]\ncount = 0\n", image(""))).contains("from 1 to"));
}

#[test]
fn a_field_names_the_store_that_keeps_its_files() {
    let stores = "[stores.cold]\npath = \"/mnt/cold\"\nbase_url = \"https://cold.example.org/\"\n\
                  [stores.hot]\npath = \"hot\"\n";
    let config = good(&format!("{}{stores}", image("store = \"cold\"\nkeep_original = true")));
    let field = &config.schema.tables[0].fields[0];
    assert_eq!(field.store.as_ref().map(ToString::to_string), Some("cold".into()));
    assert!(field.keep_original);
    let [cold, hot] = &config.stores[..] else { panic!("{:?}", config.stores) };
    assert_eq!((cold.path.as_path(), hot.path.as_path()), ("/mnt/cold".as_ref(), "hot".as_ref()));
    assert_eq!(cold.base_url.as_deref(), Some("https://cold.example.org"));
    assert_eq!(
        bad(&format!("{}{stores}", image("store = \"cool\""))),
        "mediafs.toml:7:9: `store` in [tables.user.fields.avatar]: there is no store `cool`; the \
         stores are `cold`, `hot`"
    );
    assert!(said("store = \"cold\"").ends_with("declare it as [stores.cold]"));
}

#[test]
fn no_two_stores_share_a_place_and_each_says_where_it_is() {
    let told = |stores: &str| bad(&format!("{}{stores}", image("")));
    assert_eq!(
        told("[stores.a]\npath = \"/srv/./\""),
        "mediafs.toml:9:8: `path` in [stores.a]: the library itself lies there; choose another \
         directory"
    );
    assert_eq!(
        told("[stores.a]\npath = \"/a\"\n[stores.b]\npath = \"/a/\""),
        "mediafs.toml:11:8: `path` in [stores.b]: the store `a` lies there; choose another \
         directory"
    );
    assert!(told("[stores.a]\nbase_url = \"ftp://x\"").contains(":8:9: `path` is missing"));
    assert!(told("[stores.a]\npath = \"/a\"\nurl = \"x\"").contains("unknown key `url`"));
    assert!(told("[stores.default]\npath = \"/a\"").contains("choose another name"));
    assert!(told("[stores.A]\npath = \"/a\"").contains("1 to 40 of the characters"));
    assert!(told("[stores]\na = 1").contains("expected a section"));
}

#[test]
fn what_is_removed_may_lie_in_the_trash_for_a_time_and_be_kept_for_ever() {
    let trash =
        |key: &str| image("").replace("[tables.user]", &format!("trash = {key}\n[tables.user]"));
    let time = |key| good(&trash(key)).library.trash;
    assert_eq!(good(&image("")).library.trash, Duration::ZERO);
    assert_eq!(time("\"0\""), Duration::ZERO);
    assert_eq!(time("\"7d\""), Duration::from_secs(7 * 86_400));
    assert!(bad(&trash("7")).contains("expected a time such as"));
    assert!(bad(&trash("\"a week\"")).contains("\"24h\" or \"7d\", or \"0\""));
    let keeps = |key: &str| !good(&image(key)).schema.tables[0].fields[0].delete_orphan;
    assert!(keeps("delete_orphan = false") && !keeps("delete_orphan = true") && !keeps(""));
    assert!(said("delete_orphan = \"no\"").contains("expected true or false"));
}

#[test]
fn a_relative_library_lies_beside_its_configuration() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("mediafs.toml");
    std::fs::write(&path, SAMPLE).expect("a file");
    let config = load(&path).expect("a configuration");
    assert_eq!(config.library.path, dir.path().join("mediafs-data"));
}

#[test]
fn a_path_that_only_a_shell_or_another_host_knows_is_refused() {
    let told = |path: &str| bad(&image("").replace("\"/srv\"", &format!("\"{path}\"")));
    assert_eq!(
        told("~/lib"),
        "mediafs.toml:2:8: `path` in [library]: `~` is not expanded here; write the whole path of \"~/lib\""
    );
    assert_eq!(
        told("s3://bucket/lib"),
        "mediafs.toml:2:8: `path` in [library]: \"s3://bucket/lib\" is a URL; blobs are kept in directories of this host only"
    );
}

#[test]
fn a_text_without_quotes_is_told_with_its_quotes() {
    for (key, value) in [("max_size", "5 MiB"), ("type", "image"), ("fit", "800x600")] {
        let line = format!("{key} = {value}");
        let told = bad(&image("").replace("type = \"image\"", &line));
        assert!(
            told.contains(&format!("`{key}`: a text stands in quotes: {key} = \"{value}\"")),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let told = bad("[library]\npath = \"/x\"\nhold = 30s  # seconds\n");
    assert_eq!(told, "mediafs.toml:3:8: `hold`: a text stands in quotes: hold = \"30s\"");
}

#[test]
fn a_key_or_section_that_comes_twice_is_told_with_its_first_place() {
    let told = bad("[library]\npath = \"/x\"\nhold = \"1s\"\npath = \"/y\"\n");
    assert_eq!(told, "mediafs.toml:4:1: `path` is set twice, first in line 2; keep one of them");
    let told = bad("[library]\npath = \"/x\"\n[mount]\n[library]\nhold = \"1s\"\n");
    let wanted = "[library] is there already in line 1; write its keys below that one";
    assert!(told.contains(wanted), "{told}");
}

#[test]
fn a_key_of_a_table_below_a_field_is_told_where_it_belongs() {
    let text = image("").replace("id = \"integer\"\n", "") + "id = \"integer\"\n";
    let told = bad(&text);
    assert!(
        told.contains("`id` in [tables.user.fields.avatar]: this is a key of the table"),
        "{told}"
    );
    assert!(!told.contains("unknown key"), "{told}");
}
