//! The schema: the tables, fields and drop boxes that the configuration declares.

use std::time::Duration;

use crate::access::Policy;
use crate::dimensions::Dimensions;
use crate::media_type::{self, Format, MediaType};
use crate::rule::{Kind, Rules};
use crate::slot::Name;
use crate::template::Template;
use crate::variant::{Spec, Variant};

#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// In the order of the configuration. Names are unique.
    pub tables: Vec<Table>,
    pub boxes: Vec<DropBox>,
}

/// A directory below `/drop`: each file that is complete there becomes a new row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropBox {
    pub name: Name,
    pub table: Name,
    /// The field of the new row that the file is attached to.
    pub field: Name,
    /// The id of the new row.
    pub id: Template,
    /// A file is complete when it was not written to for so long.
    pub settle: Duration,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub name: Name,
    pub id: IdRule,
    /// The owner, group and modes that the table fixes. The mount's policy completes it.
    pub access: Policy,
    pub fields: Vec<Field>,
}

/// The ids that rows of a table may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdRule {
    /// Decimal digits without a leading zero, up to 19.
    Integer,
    /// A UUID in lower case with hyphens.
    Uuid,
    /// Any name that does not begin with a dot.
    Name,
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: Name,
    pub rules: Rules,
    pub collection: Collection,
    /// How many items a collection may have.
    pub max_items: Option<u64>,
    /// Whether the file is kept as it was sent, too, beside its normal form.
    pub keep_original: bool,
    pub on_refuse: OnRefuse,
    pub report: Report,
    /// The store that holds its blobs; `None` is the library's own.
    pub store: Option<Name>,
    /// Variants that `/thumbs` lists before they are rendered.
    pub thumbnails: Vec<Preset>,
    pub sizes: Sizes,
    /// Whether a blob is deleted when it has lost its last link.
    pub delete_orphan: bool,
    /// Permission bits of its attachments, which override those of the table.
    pub mode: Option<u32>,
}

/// How many files a field holds, and under which names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// One, under the field's own name.
    One,
    /// Any number, in the order of arrival, under the names that clients give them.
    List,
    /// One for each key, which is the name without its extension.
    Dict,
}

/// The result of `close` for the writer of a refused file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefuse {
    /// The errno of the refusal.
    Refuse,
    /// Success. The file is in the quarantine (for FTP servers and scanners).
    Quarantine,
}

/// The places in which a refusal is reported beside the errno and `last-error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Log,
    /// In the log, and in `<name>.REFUSED.txt` beside the refused name. Only in collections.
    Sidecar,
}

/// A variant that a field lists: `w64`, or `200x200c.webp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    pub spec: Spec,
    /// `None` is the format of the original.
    pub format: Option<Format>,
}

/// The variants that may be requested beside the presets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sizes {
    Any,
    /// Presets only.
    Listed,
    /// Sides that are multiples of one of these numbers of pixels, up to the original's.
    Steps(Vec<u32>),
}

impl Schema {
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.as_str() == name)
    }
}

impl Table {
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }
}

impl IdRule {
    pub fn allows(self, id: &Name) -> bool {
        let text = id.as_str();
        match self {
            Self::Integer => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                digits && text.len() <= 19 && (text == "0" || !text.starts_with('0'))
            }
            Self::Uuid => is_uuid(text),
            Self::Name => !text.starts_with('.'),
        }
    }

    /// Passes a template whose ids all keep this rule and can differ from file to file. Errors: the reason, with the way out.
    pub fn check(self, template: &Template) -> Result<(), &'static str> {
        match self {
            Self::Integer if !template.is_counter() => {
                Err("a row of this table is called by a whole number: write \"{counter}\"")
            }
            Self::Uuid if !template.is_uuid() => {
                Err("a row of this table is called by a UUID: write \"{uuid}\"")
            }
            Self::Name if !template.varies() => {
                Err("every file would get the same id: write \"{stem}\" or \"{uuid}\"")
            }
            Self::Name if template.is_hidden() => Err("an id does not begin with a dot"),
            _ => Ok(()),
        }
    }

    /// The rule in words, for a refusal.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Integer => "a whole number such as 42",
            Self::Uuid => "a UUID such as 6f1f3c1e-7f0a-4f5e-9d4b-0c2a4f6e8d10, in lower case",
            Self::Name => "a name that does not begin with a dot",
        }
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}

impl Field {
    /// A field with these rules and the default of every other choice.
    pub fn new(name: Name, rules: Rules) -> Self {
        Self {
            name,
            rules,
            collection: Collection::One,
            max_items: None,
            keep_original: false,
            on_refuse: OnRefuse::Refuse,
            report: Report::Log,
            store: None,
            thumbnails: Vec::new(),
            sizes: Sizes::default(),
            delete_orphan: true,
            mode: None,
        }
    }

    /// The item that a name in a collection stands for: in a list the name itself, in a dict its key.
    pub fn item(&self, name: &Name) -> Name {
        match (self.collection, media_type::split(name)) {
            (Collection::Dict, (stem, Some(_))) => {
                Name::parse(stem).unwrap_or_else(|_| name.clone())
            }
            _ => name.clone(),
        }
    }

    /// Whether a file with this extension could ever be accepted, judged without its bytes. One with an unknown extension
    /// could.
    pub fn could_take(&self, extension: &str) -> bool {
        let Some(named) = MediaType::of_extension(extension) else { return true };
        let types = &self.rules.content_types;
        let listed = types.is_empty() || types.iter().any(|pattern| pattern.matches(&named));
        listed && (self.rules.kind == Kind::File || named.format().is_some())
    }

    /// The presets as variants of an original in this format.
    pub fn presets(&self, original: Format) -> impl Iterator<Item = Variant> + '_ {
        self.thumbnails.iter().map(move |preset| Variant {
            spec: preset.spec,
            format: preset.format.unwrap_or(original),
        })
    }

    /// Whether this variant of an original of these dimensions may be rendered.
    pub fn allows(&self, variant: Variant, original: Dimensions) -> bool {
        let preset = self.thumbnails.iter().any(|preset| {
            preset.spec == variant.spec
                && preset.format.is_none_or(|format| format == variant.format)
        });
        preset || self.sizes.allow(variant.spec, original)
    }
}

impl Sizes {
    fn allow(&self, spec: Spec, original: Dimensions) -> bool {
        let Self::Steps(steps) = self else { return *self == Self::Any };
        let on_step = |side: u32, limit: u32| {
            side <= limit && steps.iter().any(|step| side.is_multiple_of(*step))
        };
        match spec {
            Spec::Width(width) => on_step(width, original.width),
            Spec::Height(height) => on_step(height, original.height),
            Spec::Fit(width, height) | Spec::Fill(width, height) => {
                on_step(width, original.width) && on_step(height, original.height)
            }
            // At most twenty ratios, 5 per cent apart.
            Spec::Ratio(thousandths) => thousandths.is_multiple_of(50),
            Spec::Full => true,
        }
    }
}

impl Default for Sizes {
    /// The sides that people type (200, 320, 1000), and those of screens and grids (64, 768, 1024).
    fn default() -> Self {
        Self::Steps(vec![10, 16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    #[test]
    fn a_template_that_makes_no_id_of_the_table_is_refused_with_the_way_out() {
        for (text, rule, reason) in [
            ("{stem}", IdRule::Integer, "{counter}"),
            ("x{uuid}", IdRule::Uuid, "{uuid}"),
            ("inbox", IdRule::Name, "same id"),
            (".{stem}", IdRule::Name, "dot"),
        ] {
            let template = Template::parse(text).expect("a template");
            let error = rule.check(&template).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert_eq!(IdRule::Integer.check(&Template::parse("{counter}").expect("one")), Ok(()));
    }

    #[test]
    fn row_ids_follow_the_rule_of_their_table() {
        let taken = |rule: IdRule, text| rule.allows(&name(text));
        assert!(taken(IdRule::Integer, "42") && taken(IdRule::Integer, "0"));
        assert!(!taken(IdRule::Integer, "042") && !taken(IdRule::Integer, "4x"));
        assert!(taken(IdRule::Uuid, "6f1f3c1e-7f0a-4f5e-9d4b-0c2a4f6e8d10"));
        assert!(!taken(IdRule::Uuid, "6F1F3C1E-7f0a-4f5e-9d4b-0c2a4f6e8d10"));
        assert!(taken(IdRule::Name, "mary") && !taken(IdRule::Name, ".mary"));
    }

    #[test]
    fn sizes_off_the_step_or_above_the_original_are_not_allowed() {
        let original = Dimensions::new(1000, 500);
        let step = Sizes::Steps(vec![16]);
        assert!(step.allow(Spec::Width(160), original));
        assert!(!step.allow(Spec::Width(200), original));
        assert!(!step.allow(Spec::Height(512), original));
        let default = Sizes::default();
        for side in [16, 100, 150, 200, 300, 320, 768] {
            assert!(default.allow(Spec::Width(side), original), "{side}");
        }
        for side in [101, 205, 333, 1008] {
            assert!(!default.allow(Spec::Width(side), original), "{side}");
        }
        assert!(default.allow(Spec::Fit(200, 48), original));
        assert!(Sizes::Any.allow(Spec::Width(201), original));
        assert!(!Sizes::Listed.allow(Spec::Full, original));
    }
}
