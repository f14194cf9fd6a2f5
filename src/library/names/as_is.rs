//! Whether stored bytes may move to another field as they are, without a copy through the image pipeline.

use words::attachment::Content;
use words::rule::{Kind, Metadata, Normal, Resize, Rules};

/// Whether the target's rules would store content of the source's rules unchanged.
pub(super) fn leaves_as_is(source: &Rules, target: &Rules, content: &Content) -> bool {
    match (source.kind, target.kind) {
        (_, Kind::File) => true,
        // The bytes were never decoded: only a copy through the pipeline tells.
        (Kind::File, Kind::Image) => false,
        (Kind::Image, Kind::Image) => leaves_image(&source.normal, &target.normal, content),
    }
}

fn leaves_image(source: &Normal, target: &Normal, content: &Content) -> bool {
    if source == target {
        return true;
    }
    let Some(size) = content.dimensions else { return false };
    let format = target.format.is_none_or(|format| content.media_type.format() == Some(format));
    let fits = target.fit.is_none_or(|bounds| size.fit_inside(bounds) == size);
    let resized = match target.resize {
        None => true,
        Some(Resize::Exact(wanted)) => wanted == size,
        Some(Resize::Width(width)) => width == size.width,
        Some(Resize::Height(height)) => height == size.height,
    };
    // A crop is measured on the sent image; on the stored one it would cut again.
    let cropped = target.crop.is_none();
    let stripped = target.metadata == Metadata::Keep || source.metadata == Metadata::Strip;
    let oriented = !target.orient || source.orient;
    format && fits && resized && cropped && stripped && oriented
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::dimensions::Dimensions;
    use words::media_type::Format;

    fn content(width: u32, height: u32) -> Content {
        Content {
            media_type: Format::Jpeg.media_type(),
            length: 1,
            dimensions: Some(Dimensions::new(width, height)),
        }
    }

    fn image(change: impl FnOnce(&mut Normal)) -> Rules {
        let mut rules = Rules::image();
        change(&mut rules.normal);
        rules
    }

    #[test]
    fn an_image_moves_where_the_rules_leave_it_as_it_is() {
        let plain = image(|_| {});
        let small = image(|normal| normal.fit = Some(Dimensions::new(100, 100)));
        let webp = image(|normal| normal.format = Some(Format::Webp));
        assert!(leaves_as_is(&plain, &small, &content(100, 50)));
        assert!(!leaves_as_is(&plain, &small, &content(101, 50)));
        assert!(!leaves_as_is(&plain, &webp, &content(10, 10)));
    }

    #[test]
    fn what_was_never_decoded_or_stripped_must_be_copied() {
        let keeping = image(|normal| normal.metadata = Metadata::Keep);
        assert!(!leaves_as_is(&keeping, &image(|_| {}), &content(1, 1)));
        assert!(!leaves_as_is(&Rules::file(), &image(|_| {}), &content(1, 1)));
        assert!(leaves_as_is(&image(|_| {}), &Rules::file(), &content(1, 1)));
    }
}
