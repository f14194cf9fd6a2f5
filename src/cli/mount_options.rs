//! Mount options, `-o a,b`, as mount(8) and fstab(5) pass them.

use crate::cli::error::Error;

/// The settings that `-o` may change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    pub allow_other: bool,
    pub read_only: bool,
}

impl Options {
    /// Reads the values of all `-o`, each a list separated by commas. Errors: [`Error::Usage`] names the option.
    pub fn parse<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut options = Self::default();
        for option in lists.into_iter().flat_map(|list| list.split(',')) {
            match option {
                "allow_other" => options.allow_other = true,
                // The defaults, by the names that an fstab may give them.
                "" | "defaults" | "default_permissions" => {}
                "ro" => options.read_only = true,
                "rw" => options.read_only = false,
                other => {
                    return Err(Error::Usage(format!(
                        "unknown mount option `{other}`; known are allow_other, ro, rw, defaults and default_permissions"
                    )));
                }
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_be_given_together_or_apart() {
        let parse =
            |lists: &[&'static str]| Options::parse(lists.iter().copied()).expect("options");
        assert!(parse(&["rw,allow_other"]).allow_other);
        assert!(parse(&["default_permissions", "allow_other"]).allow_other);
        assert!(!parse(&["defaults"]).allow_other);
        assert!(!parse(&[]).allow_other);
        assert!(parse(&["ro"]).read_only && !parse(&["ro,rw"]).read_only);
    }

    #[test]
    fn an_unknown_option_is_named() {
        let told = |list| Options::parse([list]).expect_err("a refusal").to_string();
        assert!(told("allow_others").contains("`allow_others`"));
    }
}
