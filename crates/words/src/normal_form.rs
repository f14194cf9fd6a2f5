//! Unicode normal forms of names. `é` is one character, or an `e` and an accent: macOS writes the second form, everything else the
//! first, and a reader sees no difference.

use unicode_normalization::UnicodeNormalization;

use crate::slot::Name;

/// The form in which names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NormalForm {
    /// As they were written: names of different forms are different names.
    #[default]
    AsWritten,
    /// Composed (NFC). A name finds what is stored in any form.
    Composed,
}

impl NormalForm {
    /// The forms in which a name may be stored, the one for new files first. None if there is no choice.
    pub fn of(self, name: &Name) -> Vec<Name> {
        if self == Self::AsWritten || name.as_str().is_ascii() {
            return Vec::new();
        }
        // A form that is too long for a name is no name.
        let composed = Name::parse(&name.as_str().nfc().collect::<String>());
        let decomposed = Name::parse(&name.as_str().nfd().collect::<String>());
        let mut forms: Vec<_> =
            composed.into_iter().chain([name.clone()]).chain(decomposed).collect();
        forms.dedup();
        forms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_name_are_found_from_either_and_the_composed_one_is_for_new_files() {
        let name = |text| Name::parse(text).expect("a name");
        let (composed, decomposed) = (name("caf\u{e9}.png"), name("cafe\u{301}.png"));
        let forms = vec![composed.clone(), decomposed.clone()];
        assert_eq!(NormalForm::Composed.of(&composed), forms);
        assert_eq!(NormalForm::Composed.of(&decomposed), forms);
        assert_eq!(NormalForm::Composed.of(&name("cafe.png")), []);
        assert_eq!(NormalForm::AsWritten.of(&composed), []);
        let long = name(&format!("{}\u{e9}", "a".repeat(253)));
        assert_eq!(NormalForm::Composed.of(&long), [long]);
    }
}
