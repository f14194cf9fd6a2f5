//! Every format that is read becomes every format that is written.

use super::{animated, bmp_or_tiff, decoded, encoded, header, render, size};
use crate::format::codec::Repeat;
use crate::image_header::Header;
use words::media_type::Format;
use words::variant::{Spec, Variant};

/// A file of each format that is read, and animations.
fn originals() -> Vec<(Format, Vec<u8>)> {
    let still = Format::ALL.into_iter().map(|format| {
        let bytes =
            if format.is_writable() { encoded(format, size(40, 30)) } else { bmp_or_tiff(format) };
        (format, bytes)
    });
    let animations = [Format::Gif, Format::Webp];
    still.chain(animations.map(|format| (format, animated(format, Repeat::Forever)))).collect()
}

#[test]
fn full_is_the_whole_image_in_any_format_its_own_among_them() {
    for (from, bytes) in originals() {
        for to in Format::ALL.into_iter().filter(|format| format.is_writable()) {
            let name = Variant { spec: Spec::Full, format: to }.to_string();
            let (output, dimensions) = render(from, &bytes, &name);
            assert_eq!(dimensions, size(40, 30), "{from:?} to {name}");
            let Header::Image { format, dimensions, .. } = header(&output) else {
                panic!("{from:?} to {name}: no image");
            };
            assert_eq!((format, dimensions), (to, size(40, 30)), "{from:?} to {name}");
            assert_eq!(decoded(to, &output).size(), size(40, 30), "{from:?} to {name}");
        }
    }
}
