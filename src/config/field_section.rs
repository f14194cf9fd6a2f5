//! `[tables.<table>.fields.<name>]`: the keys of a field, and which of them contradict one another.

use std::fmt::Display;

use super::section::Section;
use super::{quota_section, store_section, value};
use words::dimensions::Dimensions;
use words::media_type::{Format, TypePattern};
use words::rule::{Crop, Edge, Kind, Metadata, Normal, Resize, Rules};
use words::schema::{Collection, Field, OnRefuse, Report};
use words::slot::Name;

/// The default number of items of a collection. A listing reads them all.
const MAX_ITEMS: u64 = 10_000;
/// The largest number of items. More belong into the rows of a table.
const MOST_ITEMS: i64 = 1_000_000;

/// Keys that only image fields have.
const OF_IMAGES: [&str; 17] = [
    "min_width",
    "min_height",
    "max_width",
    "max_height",
    "min_ratio",
    "max_ratio",
    "max_pixels",
    "orient",
    "metadata",
    "fit",
    "resize",
    "crop",
    "format",
    "quality",
    "thumbnails",
    "sizes",
    "keep_original",
];

/// Reads the section of a field. `None` if its type is missing or wrong.
pub(super) fn read(name: Name, section: &Section<'_>, stores: &[Name]) -> Option<Field> {
    let kind = kind(section);
    let rules = match kind {
        Some(Kind::File) => Rules::file(),
        _ => Rules::image(),
    };
    let normal = normal(section, &rules.normal);
    let rules = Rules { normal, ..bounds(section, rules) };
    let collection = collection(section);
    let field = Field {
        collection,
        max_items: max_items(section, collection),
        thumbnails: section.list("thumbnails", value::preset).unwrap_or_default(),
        sizes: section.key("sizes", value::sizes).unwrap_or_default(),
        mode: section.key("mode", value::mode),
        store: section.key("store", |value| store_section::named(value, stores)),
        keep_original: section.key("keep_original", value::boolean).unwrap_or(false),
        delete_orphan: section.key("delete_orphan", value::boolean).unwrap_or(true),
        on_refuse: on_refuse(section),
        report: report(section, collection),
        ..Field::new(name, rules)
    };
    quota_section::elsewhere(section);
    of_the_table(section);
    section.finish();
    match kind? {
        Kind::File => refuse_image_keys(section),
        Kind::Image => {
            contradictions(section, &field.rules);
            types(section, &field.rules);
        }
    }
    sizes(section, &field.rules);
    Some(field)
}

/// Complains of keys of the table. What follows a header belongs to it, so that they stand above the table's first field.
fn of_the_table(section: &Section<'_>) {
    for key in ["id", "owner", "group", "file_mode", "dir_mode"] {
        section.refuse(
            key,
            "this is a key of the table; write it right below [tables.NAME], above the table's first field",
        );
    }
}

fn on_refuse(section: &Section<'_>) -> OnRefuse {
    let choices = [("refuse", OnRefuse::Refuse), ("quarantine", OnRefuse::Quarantine)];
    let chosen = section.key("on_refuse", |value| value::one_of(value, &choices));
    chosen.unwrap_or(OnRefuse::Refuse)
}

/// A sidecar needs a collection: the names in a row are those of its fields.
fn report(section: &Section<'_>, collection: Collection) -> Report {
    let choices = [("log", Report::Log), ("sidecar", Report::Sidecar)];
    let report = section.key("report", |value| value::one_of(value, &choices));
    if report == Some(Report::Sidecar) && collection == Collection::One {
        section.complain(
            "report",
            "only collections have sidecars; say collection = \"list\" or \"dict\"",
        );
    }
    report.unwrap_or(Report::Log)
}

fn kind(section: &Section<'_>) -> Option<Kind> {
    let kinds = [("file", Kind::File), ("image", Kind::Image)];
    let hint = "say type = \"image\" or type = \"file\"";
    section.required("type", hint, |value| value::one_of(value, &kinds))
}

fn collection(section: &Section<'_>) -> Collection {
    let kinds = [("one", Collection::One), ("list", Collection::List), ("dict", Collection::Dict)];
    let kind = section.key("collection", |value| value::one_of(value, &kinds));
    kind.unwrap_or(Collection::One)
}

fn max_items(section: &Section<'_>, collection: Collection) -> Option<u64> {
    let given = section.key("max_items", |value| value::whole(value, 1, MOST_ITEMS));
    if collection != Collection::One {
        return given.or(Some(MAX_ITEMS));
    }
    if section.has("max_items") {
        let reason = "only collections have this; say collection = \"list\" or \"dict\"";
        section.complain("max_items", reason);
    }
    None
}

fn bounds(section: &Section<'_>, default: Rules) -> Rules {
    Rules {
        min_size: section.key("min_size", value::size).unwrap_or(default.min_size),
        max_size: section.key("max_size", value::size).unwrap_or(default.max_size),
        content_types: section.list("content_types", value::content_type).unwrap_or_default(),
        min_width: section.key("min_width", value::pixels),
        min_height: section.key("min_height", value::pixels),
        max_width: section.key("max_width", value::pixels).or(default.max_width),
        max_height: section.key("max_height", value::pixels).or(default.max_height),
        min_ratio: section.key("min_ratio", value::ratio),
        max_ratio: section.key("max_ratio", value::ratio),
        max_pixels: section.key("max_pixels", value::area).or(default.max_pixels),
        ..default
    }
}

fn normal(section: &Section<'_>, default: &Normal) -> Normal {
    let choices = [("strip", Metadata::Strip), ("keep", Metadata::Keep)];
    let metadata = section.key("metadata", |value| value::one_of(value, &choices));
    Normal {
        orient: section.key("orient", value::boolean).unwrap_or(default.orient),
        metadata: metadata.unwrap_or(default.metadata),
        fit: section.key("fit", value::dimensions),
        resize: section.key("resize", value::resize),
        crop: section.key("crop", value::crop),
        format: section.key("format", value::format),
        quality: section.key("quality", |value| value::whole(value, 1, 100)),
    }
}

fn refuse_image_keys(section: &Section<'_>) {
    for key in OF_IMAGES.into_iter().filter(|key| section.has(key)) {
        section.complain(key, "only images have this; say type = \"image\" or remove the key");
    }
}

fn sizes(section: &Section<'_>, rules: &Rules) {
    ordered(section, ("min_size", Some(rules.min_size)), ("max_size", Some(rules.max_size)));
    if rules.max_size.0 == 0 {
        section.complain("max_size", "nothing could ever be written to the field");
    }
}

/// Complains of rules that no image can meet together.
fn contradictions(section: &Section<'_>, rules: &Rules) {
    ordered(section, ("min_width", rules.min_width), ("max_width", rules.max_width));
    ordered(section, ("min_height", rules.min_height), ("max_height", rules.max_height));
    ordered(section, ("min_ratio", rules.min_ratio), ("max_ratio", rules.max_ratio));
    let least = u64::from(rules.min_width.unwrap_or(1)) * u64::from(rules.min_height.unwrap_or(1));
    if rules.max_pixels.is_some_and(|most| least > most) {
        section
            .complain("max_pixels", &format!("min_width and min_height ask for {least} at least"));
    }
    ratios(section, rules);
    if rules.normal.fit.is_some() && rules.normal.resize.is_some() {
        section
            .complain("resize", "an exact size and `fit` exclude one another; remove one of them");
    }
    if let (Some(Resize::Exact(size)), Some(crop)) = (rules.normal.resize, rules.normal.crop)
        && outside(crop, size)
    {
        section.complain("crop", &format!("reaches out of the {size} that `resize` makes"));
    }
}

/// Complains of sides that leave no image with an allowed ratio.
fn ratios(section: &Section<'_>, rules: &Rules) {
    let ratio =
        |width: Option<u32>, height: Option<u32>| Some(f64::from(width?) / f64::from(height?));
    let least = ratio(rules.min_width, rules.max_height);
    let most = ratio(rules.max_width, rules.min_height);
    if let (Some(least), Some(allowed)) = (least, rules.max_ratio)
        && least > allowed
    {
        let reason = format!("min_width and max_height leave no ratio below {least:.2}");
        section.complain("max_ratio", &reason);
    }
    if let (Some(most), Some(allowed)) = (most, rules.min_ratio)
        && most < allowed
    {
        let reason = format!("max_width and min_height leave no ratio above {most:.2}");
        section.complain("min_ratio", &reason);
    }
}

/// Whether a crop reaches out of an image of this size.
fn outside(crop: Crop, size: Dimensions) -> bool {
    let beyond = |edge, side| matches!(edge, Edge::Pixels(pixels) if pixels > side);
    beyond(crop.right, size.width) || beyond(crop.bottom, size.height)
}

/// Complains of a lower bound above the upper one. Each comes with the key that sets it.
fn ordered<T: PartialOrd + Display>(
    section: &Section<'_>,
    low: (&str, Option<T>),
    high: (&str, Option<T>),
) {
    let ((low, Some(least)), (high, Some(most))) = (low, high) else { return };
    if least > most {
        let default = if section.has(high) { "" } else { " (its default)" };
        let key = if section.has(low) { low } else { high };
        section.complain(key, &format!("{low} {least} is above {high} {most}{default}"));
    }
}

fn types(section: &Section<'_>, rules: &Rules) {
    if section.list("content_types", |_| Ok(())).is_some_and(|types| types.is_empty()) {
        let reason = "nothing could ever be written to the field; remove the key to take all types";
        section.complain("content_types", reason);
    }
    for pattern in &rules.content_types {
        if let Some(reason) = never_taken(pattern, rules.normal.format) {
            section.complain("content_types", &format!("{pattern} {reason}"));
        }
    }
}

/// The reason for which this field, or any image field, can never accept a type.
fn never_taken(pattern: &TypePattern, stored: Option<Format>) -> Option<&'static str> {
    let media_type = match pattern {
        TypePattern::Any(top) if top == "image" => return None,
        TypePattern::Any(_) => return Some("is no image; use type = \"file\" for it"),
        TypePattern::Exact(media_type) => media_type,
    };
    match media_type.format() {
        Some(format) if !format.is_writable() && stored.is_none() => {
            Some("can be read but not stored; add `format` to convert it")
        }
        Some(_) => None,
        None if media_type.is_image() => {
            Some("cannot be decoded here; use type = \"file\" to store it as it is")
        }
        None => Some("is no image; use type = \"file\" for it"),
    }
}
