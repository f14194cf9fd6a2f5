//! Random sequences of calls on both engines, which must give the same answers. Whether an answer is right, the laws say.

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{
    ACCESS, FOREVER, at, destination, item, name, open, picture, place, publication, usages,
};
use crate::catalog::Catalog;
use crate::catalog::blobs::Due;
use crate::catalog::memory::Memory;
use crate::catalog::slots::{Rehoming, Revision};
use words::access::{Fixed, Terms};
use words::attachment::{
    Amendment, Attachment, AttachmentId, BlobKey, Original, RowId, ScratchId, StoreId, VariantId,
};
use words::digest::Digest;
use words::link::Collision;
use words::place::{Folder, Place};
use words::quota::{Limits, Quota};
use words::retired::Orphan;
use words::variant::Variant;

/// A call. Its numbers are small, so that it often hits an entry that exists, or one that did.
#[derive(Debug, Clone)]
enum Verb {
    AddRow(u64),
    RemoveRow(u64),
    RenameRow(u64, u64, Collision),
    Reserve(u8),
    Publish(u64, u64, u64, bool),
    PublishBytes(u64, u64, u8),
    /// With an original.
    PublishBoth(u64, u64, (u8, u8)),
    /// Whether `cover` keeps orphans.
    Declare(bool),
    Revise(u64, Vec<u64>, Option<u64>),
    Share(u64, (u64, u64), Collision),
    Unlink(u64, u64),
    Move((u64, u64), (u64, u64), Collision),
    /// To the other one of two stores, now and then with other bytes.
    Rehome((u64, u64), (u64, u64), Collision, bool),
    Amend(u64, Option<u32>),
    Give(u64, u32),
    /// A quota of files for each user, and one of bytes for the table.
    Limit(Option<u64>, Option<u64>),
    SetAttribute(u64, u64, Option<u8>),
    AddVariant(u64, u64, u64),
    Trim(u64),
    TouchVariant(u64),
    RemoveVariant(u64),
    AddScratch(u64, u64),
    RenameScratch(u64, u64, u64, Collision),
    RemoveScratch(u64),
    Doom(i64, i64, usize),
    Due(i64, i64),
    Forget(u64),
    Renew(u64),
}

fn collision() -> impl Strategy<Value = Collision> {
    prop_oneof![Just(Collision::Replace), Just(Collision::Refuse), Just(Collision::Exchange)]
}

fn verb() -> impl Strategy<Value = Verb> {
    use Verb::{
        AddRow, AddScratch, AddVariant, Amend, Declare, Doom, Due, Forget, Give, Limit, Move,
        Publish, PublishBoth, PublishBytes, Rehome, RemoveRow, RemoveScratch, RemoveVariant,
        RenameRow, RenameScratch, Renew, Reserve, Revise, SetAttribute, Share, TouchVariant, Trim,
        Unlink,
    };
    let row = || 1..5u64;
    let field = || 0..4u64;
    let spot = || (1..5u64, 0..4u64);
    let blob = || 1..12u64;
    let attachment = || 1..12u64;
    let times = || (0..80i64, 0..80i64, 1..6usize);
    prop_oneof![
        2 => row().prop_map(AddRow),
        1 => row().prop_map(RemoveRow),
        1 => (row(), row(), collision()).prop_map(|(a, b, how)| RenameRow(a, b, how)),
        2 => (0..6u8).prop_map(Reserve),
        2 => (row(), field(), blob(), any::<bool>()).prop_map(|(r, f, b, n)| Publish(r, f, b, n)),
        6 => (row(), field(), 0..6u8).prop_map(|(r, f, b)| PublishBytes(r, f, b)),
        2 => (row(), field(), (0..6u8, 0..6u8)).prop_map(|(r, f, both)| PublishBoth(r, f, both)),
        1 => any::<bool>().prop_map(Declare),
        2 => (row(), vec(2..4u64, 0..3), any::<bool>(), 2..4u64)
            .prop_map(|(r, order, lose, item)| Revise(r, order, lose.then_some(item))),
        2 => (attachment(), spot(), collision()).prop_map(|(a, to, how)| Share(a, to, how)),
        4 => spot().prop_map(|(r, f)| Unlink(r, f)),
        3 => (spot(), spot(), collision()).prop_map(|(a, b, how)| Move(a, b, how)),
        3 => (spot(), spot(), collision(), any::<bool>())
            .prop_map(|(a, b, how, same)| Rehome(a, b, how, same)),
        1 => (attachment(), any::<Option<u32>>()).prop_map(|(a, mode)| Amend(a, mode)),
        2 => (attachment(), 0..3u32).prop_map(|(a, uid)| Give(a, uid)),
        1 => (of(2..6u64), of(0..900u64)).prop_map(|(files, bytes)| Limit(files, bytes)),
        1 => (attachment(), field(), any::<Option<u8>>()).prop_map(|(a, n, v)| SetAttribute(a, n, v)),
        4 => (blob(), field(), blob()).prop_map(|(o, v, b)| AddVariant(o, v, b)),
        1 => (0..60u64).prop_map(Trim),
        1 => (1..6u64).prop_map(TouchVariant),
        1 => (1..6u64).prop_map(RemoveVariant),
        1 => (row(), field()).prop_map(|(r, n)| AddScratch(r, n)),
        1 => (1..5u64, row(), field(), collision()).prop_map(|(i, r, n, how)| RenameScratch(i, r, n, how)),
        1 => (1..5u64).prop_map(RemoveScratch),
        2 => times().prop_map(|(a, b, limit)| Doom(a, b, limit)),
        1 => times().prop_map(|(a, b, _)| Due(a, b)),
        1 => (1..9u64).prop_map(Renew),
        2 => blob().prop_map(Forget),
    ]
}

fn digest(byte: u8) -> Digest {
    Digest::of(&[byte])
}

/// The key with a generation, if the sequence has made one; else one that does not exist.
fn key(seen: &[BlobKey], generation: u64) -> BlobKey {
    let known = seen.iter().find(|key| key.generation == generation).copied();
    known.unwrap_or(BlobKey { store: StoreId::default(), digest: digest(0), generation })
}

fn spot((row, field): (u64, u64)) -> Place {
    match field % 4 {
        0 => place(RowId(row), "avatar"),
        1 => place(RowId(row), "cover"),
        number => item(RowId(row), "photos", &number.to_string()),
    }
}

/// The access that the slots of a row fix: an owner in rows with odd numbers.
fn fixed(row: u64) -> Fixed {
    Fixed { uid: (row % 2 == 1).then_some(1), ..Fixed::default() }
}

fn variant(number: u64) -> Variant {
    Variant::parse(&format!("w{}.webp", number + 1)).unwrap()
}

/// Makes a call. Returns the answer as text, since errors cannot be compared.
fn play(catalog: &dyn Catalog, verb: &Verb, now: i64, seen: &[BlobKey]) -> String {
    let (table, time) = (catalog.table(&name("user")).unwrap(), at(now));
    let text = |number: u64| name(&number.to_string());
    match *verb {
        Verb::AddRow(n) => format!("{:?}", catalog.add_row(table, &text(n), ACCESS, time)),
        Verb::RemoveRow(n) => format!("{:?}", catalog.remove_row(RowId(n))),
        Verb::RenameRow(n, to, how) => {
            format!("{:?}", catalog.rename_row(RowId(n), &text(to), how, time))
        }
        Verb::Reserve(byte) => {
            format!("{:?}", catalog.reserve(StoreId::default(), digest(byte), time))
        }
        Verb::Publish(row, field, blob, noted) => {
            let mut made = publication(&spot((row, field)), key(seen, blob), now);
            made.attributes.extend(noted.then(|| ("user.note".to_owned(), vec![1])));
            made.content = picture(blob);
            format!("{:?}", catalog.publish(&made))
        }
        Verb::PublishBytes(row, field, byte) => {
            let reservation = catalog.reserve(StoreId::default(), digest(byte), time).unwrap();
            let made = publication(&spot((row, field)), reservation.key(), now);
            format!("{reservation:?} {:?}", catalog.publish(&made))
        }
        Verb::PublishBoth(row, field, (byte, sent)) => {
            let key = |byte| catalog.reserve(StoreId::default(), digest(byte), time).unwrap().key();
            let mut made = publication(&spot((row, field)), key(byte), now);
            made.original = Some(Original { blob: key(sent), content: picture(7) });
            made.source = Some(format!("https://example.org/{now}"));
            format!("{:?}", catalog.publish(&made))
        }
        Verb::Share(id, to, how) => {
            let (id, fixed) = (AttachmentId(id), fixed(to.0));
            format!("{:?}", catalog.share(id, destination(&spot(to), &name("x"), how), fixed, time))
        }
        Verb::Unlink(row, field) => format!("{:?}", catalog.unlink(&spot((row, field)), time)),
        Verb::Move(from, to, how) => {
            let written = name(&format!("w{now}"));
            let terms = Terms { there: fixed(to.0), back: fixed(from.0) };
            format!(
                "{:?}",
                catalog.move_link(&spot(from), destination(&spot(to), &written, how), terms, time)
            )
        }
        Verb::Amend(id, mode) => {
            let change = Amendment { mode, ..Amendment::default() };
            let row = catalog.amend_row(RowId(id), change, time);
            format!("{:?} {row:?}", catalog.amend(AttachmentId(id), change, time))
        }
        Verb::Give(id, uid) => {
            let change = Amendment { uid: Some(uid), ..Amendment::default() };
            format!("{:?}", catalog.amend(AttachmentId(id), change, time))
        }
        Verb::SetAttribute(id, n, value) => {
            let value = value.map(|byte| vec![byte]);
            let id = AttachmentId(id);
            format!("{:?}", catalog.set_attribute(id, &n.to_string(), value.as_deref(), time))
        }
        _ => play_rest(catalog, verb, now, seen),
    }
}

fn play_rest(catalog: &dyn Catalog, verb: &Verb, now: i64, seen: &[BlobKey]) -> String {
    let time = at(now);
    match *verb {
        Verb::Limit(files, bytes) => limit(catalog, files, bytes),
        Verb::Declare(keep) => {
            let orphan = if keep { Orphan::Keep } else { Orphan::Delete };
            let table = catalog.table(&name("user")).unwrap();
            format!("{:?}", catalog.field(table, &name("cover"), orphan))
        }
        Verb::Revise(row, ref order, lost) => {
            let order: Vec<_> = order.iter().map(|number| name(&number.to_string())).collect();
            let photo = |number: u64| item(RowId(row), "photos", &number.to_string());
            let mut revisions = vec![Revision::Arrange { field: name("photos"), order }];
            revisions.extend(lost.map(|number| Revision::Detach(photo(number))));
            let (place, original_filename) = (spot((row, 0)), format!("{now}.jpg"));
            revisions.push(Revision::Rename { place, original_filename });
            format!("{:?}", catalog.revise(RowId(row), &revisions, time))
        }
        Verb::AddVariant(original, which, blob) => {
            let (original, blob) = (key(seen, original), key(seen, blob));
            format!("{:?}", catalog.add_variant(original, variant(which), blob, &picture(10)))
        }
        Verb::Trim(bytes) => format!("{:?}", catalog.trim_variants(bytes, 3)),
        Verb::TouchVariant(id) => {
            // Each step takes a minute, since shorter ones are within the precision.
            format!("{:?}", catalog.touch_variants(&[(VariantId(id), at(now * 60_000_000_000))]))
        }
        Verb::RemoveVariant(id) => format!("{:?}", catalog.remove_variant(VariantId(id))),
        Verb::AddScratch(row, n) => {
            let file = format!("s{now}");
            let scratch = name(&n.to_string());
            format!(
                "{:?}",
                catalog.add_scratch(&Folder::row(RowId(row)), &scratch, &file, ACCESS, time)
            )
        }
        Verb::RenameScratch(id, row, n, how) => {
            let to = name(&n.to_string());
            format!(
                "{:?}",
                catalog.rename_scratch(ScratchId(id), &Folder::row(RowId(row)), &to, how, time)
            )
        }
        Verb::RemoveScratch(id) => format!("{:?}", catalog.remove_scratch(ScratchId(id), time)),
        Verb::Rehome(from, to, how, same) => rehome(catalog, spot(from), spot(to), how, same, now),
        _ => play_sweep(catalog, verb, now, seen),
    }
}

fn play_sweep(catalog: &dyn Catalog, verb: &Verb, now: i64, seen: &[BlobKey]) -> String {
    match *verb {
        Verb::Doom(retired, reserved, limit) => {
            format!("{:?}", catalog.doom(at(retired), at(reserved), limit))
        }
        Verb::Due(retired, reserved) => {
            format!("{:?}", catalog.due(at(retired), at(reserved)))
        }
        Verb::Renew(id) => format!("{:?}", catalog.renew(AttachmentId(id), at(now))),
        Verb::Forget(generation) => format!("{:?}", catalog.forget(&[key(seen, generation)])),
        _ => unreachable!("played by the caller"),
    }
}

/// Sets a quota of files for each user, and one of bytes for the table.
fn limit(catalog: &dyn Catalog, files: Option<u64>, bytes: Option<u64>) -> String {
    let table = catalog.table(&name("user")).unwrap();
    catalog.limit(Limits {
        tables: BTreeMap::from([(table, Quota { bytes, ..Quota::default() })]),
        uid: Quota { files, ..Quota::default() },
        uids: BTreeMap::new(),
    });
    String::new()
}

/// Moves the attachment at a slot to the other one of two stores, with the same bytes or with others.
fn rehome(
    catalog: &dyn Catalog,
    from: Place,
    to: Place,
    collision: Collision,
    same: bool,
    now: i64,
) -> String {
    let Some(link) = catalog.find(&from).unwrap() else { return "nothing".into() };
    let Attachment { blob, original, .. } = link.attachment;
    let key = |old: BlobKey, same: bool| {
        let digest = if same { old.digest } else { digest(5) };
        catalog.reserve(StoreId(1 - old.store.0), digest, at(now)).unwrap().key()
    };
    let original = original.map(|sent| key(sent.blob, true));
    let (blob, written) = (key(blob, same), name(&format!("w{now}")));
    let fixed = fixed(to.row.0);
    let way = Rehoming { from, to, written, collision, blob, original, fixed, now: at(now) };
    format!("{:?} {:?}", catalog.rehome(&way), catalog.stores())
}

/// Every answer to a question, as text.
fn everything(catalog: &dyn Catalog, seen: &[BlobKey]) -> String {
    let table = catalog.table(&name("user")).unwrap();
    let mut text = format!("{:?} {:?}\n", catalog.totals().unwrap(), catalog.census().unwrap());
    for row in catalog.rows(table, RowId(0), 99).unwrap() {
        let (links, scratch) =
            (catalog.links(row.id).unwrap(), catalog.scratches(&Folder::row(row.id)).unwrap());
        let items = catalog.items(row.id, &name("photos")).unwrap();
        let count = catalog.count_items(row.id, &name("photos")).unwrap();
        let attributes = catalog.row_attributes(row.id).unwrap();
        let variants = catalog.row_variants(row.id).unwrap();
        writeln!(text, "{row:?} {links:?} {scratch:?} {items:?} {count}").unwrap();
        writeln!(text, "{attributes:?} {variants:?}").unwrap();
    }
    for id in (1..60).map(AttachmentId) {
        if let Some(found) = catalog.attachment(id).unwrap() {
            let (held, noted) = (catalog.places(id).unwrap(), catalog.attributes(id).unwrap());
            assert_eq!(held.len(), usize::try_from(found.links).unwrap(), "{found:?}");
            writeln!(text, "{found:?} {held:?} {noted:?}").unwrap();
        }
    }
    let retired = catalog.retired(at(0), 99).unwrap();
    let some = catalog.retired(at(9), 2).unwrap();
    let orphans = catalog.orphans(AttachmentId(3), 99).unwrap();
    writeln!(text, "{retired:?} {some:?} {orphans:?}").unwrap();
    for slot in ["user-1-avatar", "user-1-cover", "user-2-photos-1"] {
        writeln!(text, "{:?}", catalog.first_retired(slot, at(9)).unwrap()).unwrap();
    }
    let doomed = catalog.doomed(0, 99).unwrap();
    writeln!(text, "{doomed:?} {:?}", catalog.lengths(seen).unwrap()).unwrap();
    for key in seen {
        writeln!(text, "{:?}", catalog.variants(*key).unwrap()).unwrap();
    }
    // In memory they are counted anew: the counts that the database keeps equal a recount.
    write!(text, "{:?}", usages(catalog)).unwrap();
    text
}

/// The figures of a whole sweep, made in small steps that are not forgotten.
fn swept(catalog: &dyn Catalog, steps: usize) -> Due {
    let step = |_| catalog.doom(FOREVER, FOREVER, 3).unwrap().attachments.len();
    let attachments = (0..steps + 60).map(step).sum();
    let doomed = catalog.doomed(0, 999).unwrap();
    let bytes = catalog.lengths(&doomed).unwrap().into_iter().sum();
    Due { attachments, blobs: doomed.len(), bytes }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_catalogues_give_the_same_answers(verbs in vec(verb(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = open(&folder.path().join("catalog.sqlite"));
        let memory = Memory::new();
        let mut seen = Vec::new();
        for (now, verb) in (1..).zip(&verbs) {
            let wanted = play(&memory, verb, now, &seen);
            let found = play(&sqlite, verb, now, &seen);
            prop_assert_eq!(wanted, found, "{:?}", verb);
            seen = memory.keys();
        }
        prop_assert_eq!(everything(&memory, &seen), everything(&sqlite, &seen));
        let sqlite: &dyn Catalog = &sqlite;
        let due = sqlite.due(FOREVER, FOREVER).unwrap();
        prop_assert_eq!(due, swept(sqlite, due.attachments), "a sweep does what was counted");
    }
}
