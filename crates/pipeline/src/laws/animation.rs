//! Laws of images of several frames.

use png::{BlendOp, DisposeOp};

use super::{SCENES, animated, animated_gif, decoded, refine, render, size, survey, written};
use crate::format::codec;
use crate::format::codec::{Frame, Repeat, Source};
use crate::format::png::container;
use crate::job::{Limits, Outcome};
use words::media_type::Format;
use words::rule::Normal;
use words::variant::Variant;

#[test]
fn an_animated_png_is_kept_whole_and_shown_by_its_default_image() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(3, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for value in [10, 20, 30] {
        writer.write_image_data(&[value; 64]).unwrap();
    }
    writer.finish().unwrap();
    let outcome = refine(Format::Png, &bytes, &Normal::default()).0;
    assert_eq!(outcome, Outcome::Untouched { dimensions: size(8, 8) });
    let (small, _) = render(Format::Png, &bytes, "w4.png");
    assert_eq!(decoded(Format::Png, &small).pixels(), [10; 16]);
    let last = bytes.windows(4).rposition(|kind| kind == b"fdAT").unwrap();
    bytes[last + 10] ^= 0x55;
    let outcome = refine(Format::Png, &bytes, &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(_)), "{outcome:?}");
}

/// The frames of an animation, and how often it is shown.
#[derive(Default)]
struct Recording {
    repeat: Option<Repeat>,
    frames: Vec<Frame>,
}

fn recorded(format: Format, bytes: &[u8]) -> Recording {
    let (codec, survey, limits) = (codec(format), survey(format, bytes), Limits::default());
    let source = Source { codec, bytes, survey: &survey, limits: &limits };
    let mut recording = Recording::default();
    let mut record = |frame, repeat| {
        recording.repeat = Some(repeat);
        recording.frames.push(frame);
        Ok(())
    };
    codec.frames.unwrap()(&source, &mut record).unwrap();
    recording
}

fn assert_scenes(recording: &Recording, what: &str) {
    assert_eq!(recording.frames.len(), SCENES.len(), "{what}");
    for (at, (frame, (colour, duration))) in recording.frames.iter().zip(SCENES).enumerate() {
        assert_eq!(frame.duration, duration, "{what}");
        let (pixels, _) = frame.raster.pixels().as_chunks::<4>();
        let third = pixels.len() / 3;
        for scene in 0..3 {
            let pixel = pixels[third * scene + third / 2 + 3];
            if scene == at {
                assert!(pixel[3] < 12, "{what}: frame {at} shows an older one");
            } else {
                let near = pixel.into_iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 12);
                assert!(near && pixel[3] > 243, "{what}: frame {at} {pixel:?}");
            }
        }
    }
}

#[test]
fn an_animation_keeps_frames_times_and_loops_through_a_resize() {
    for (from, to) in [
        (Format::Gif, "w20.gif"),
        (Format::Gif, "w20.webp"),
        (Format::Webp, "w20.gif"),
        (Format::Webp, "w20.webp"),
        (Format::Png, "w20.webp"),
        (Format::Png, "w20.gif"),
    ] {
        for repeat in [Repeat::Forever, Repeat::Times(4), Repeat::Times(1)] {
            let bytes = animated(from, repeat);
            let (output, dimensions) = render(from, &bytes, to);
            assert_eq!(dimensions, size(20, 15));
            let what = format!("{from:?} to {to}");
            let recording = recorded(Variant::parse(to).unwrap().format, &output);
            assert_eq!(recording.repeat, Some(repeat), "{what}");
            assert_scenes(&recording, &what);
        }
    }
}

#[test]
fn an_animation_that_needs_nothing_is_untouched() {
    for format in [Format::Gif, Format::Webp] {
        let bytes = animated(format, Repeat::Times(2));
        let outcome = refine(format, &bytes, &Normal::default()).0;
        assert_eq!(outcome, Outcome::Untouched { dimensions: size(40, 30) }, "{format:?}");
        for end in (0..bytes.len()).step_by(7) {
            match refine(format, &bytes[..end], &Normal::default()) {
                (Outcome::Fault(_), _) => {}
                // A GIF that ends between two frames lacks its trailer only.
                (outcome, output) => {
                    let gif = output.strip_suffix(b";").is_some_and(|gif| gif == &bytes[..end]);
                    assert!(gif, "{format:?} of {end} bytes: {outcome:?}");
                }
            }
        }
    }
}

#[test]
fn an_animation_becomes_its_first_frame_where_the_format_holds_one() {
    let bytes = animated_gif(Repeat::Forever);
    let (output, _) = render(Format::Gif, &bytes, "full.png");
    let raster = decoded(Format::Png, &output);
    let (pixels, _) = raster.pixels().as_chunks::<4>();
    assert_eq!((pixels[0][3], pixels[1199]), (0, [200, 30, 30, 255]));
    // A fault behind the first frame is a fault of the file all the same.
    let normal = Normal { format: Some(Format::Png), ..Normal::default() };
    let (outcome, _) = refine(Format::Gif, &bytes[..bytes.len() - 20], &normal);
    assert!(matches!(outcome, Outcome::Fault(_)), "{outcome:?}");
}

#[test]
fn frames_of_a_gif_are_disposed_of_as_they_say() {
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, 2, 1, &[255, 0, 0, 0, 0, 255]).unwrap();
    let mut frame = |index, left, dispose| {
        let mut frame = gif::Frame::from_indexed_pixels(1, 1, vec![index], None);
        (frame.left, frame.dispose) = (left, dispose);
        encoder.write_frame(&frame).unwrap();
    };
    frame(0, 0, gif::DisposalMethod::Keep);
    frame(1, 1, gif::DisposalMethod::Previous);
    frame(1, 0, gif::DisposalMethod::Background);
    frame(1, 1, gif::DisposalMethod::Keep);
    // Half of it lies outside the canvas.
    let mut wide = gif::Frame::from_indexed_pixels(2, 1, vec![0, 0], None);
    wide.left = 1;
    encoder.write_frame(&wide).unwrap();
    drop(encoder);
    let frames = recorded(Format::Gif, &out).frames;
    let (red, blue, none) = ([255, 0, 0, 255], [0, 0, 255, 255], [0; 4]);
    let expected = [[red, none], [red, blue], [blue, none], [none, blue], [none, red]];
    let shown: Vec<_> = frames.into_iter().map(|frame| frame.raster.into_pixels()).collect();
    assert_eq!(shown, expected.map(|pixels| pixels.concat()));
}

#[test]
fn a_frame_beside_its_canvas_shows_nothing() {
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, 8, 8, &[]).unwrap();
    for left in [0, 9, u16::MAX] {
        let mut frame = gif::Frame::from_rgb(8, 8, &[200; 192]);
        frame.left = left;
        frame.dispose = gif::DisposalMethod::Background;
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    let frames = recorded(Format::Gif, &bytes).frames;
    let shown: Vec<u8> = frames.iter().map(|frame| frame.raster.pixels()[3]).collect();
    assert_eq!(shown, [255, 0, 0]);
}

#[test]
fn the_frames_of_a_png_lie_over_one_another_as_they_say() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 3, 1);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_animated(5, 2).unwrap();
    let mut writer = encoder.write_header().unwrap();
    let (red, blue, none) = ([200, 0, 0, 255], [0, 0, 200, 255], [0; 4]);
    let half = [0, 200, 0, 128];
    let mut frame = |left, dispose, blend, pixels: &[[u8; 4]]| {
        let width = u32::try_from(pixels.len()).unwrap();
        writer.set_frame_position(0, 0).unwrap();
        writer.set_frame_dimension(width, 1).unwrap();
        writer.set_frame_position(left, 0).unwrap();
        writer.set_frame_delay(1, 8).unwrap();
        writer.set_dispose_op(dispose).unwrap();
        writer.set_blend_op(blend).unwrap();
        writer.write_image_data(&pixels.concat()).unwrap();
    };
    frame(0, DisposeOp::None, BlendOp::Source, &[red, red, red]);
    frame(1, DisposeOp::Previous, BlendOp::Over, &[half]);
    frame(2, DisposeOp::Background, BlendOp::Source, &[half]);
    frame(0, DisposeOp::None, BlendOp::Over, &[none]);
    frame(0, DisposeOp::None, BlendOp::Source, &[none, blue]);
    writer.finish().unwrap();
    let mixed = [100, 100, 0, 255];
    let expected = [
        [red, red, red],
        [red, mixed, red],
        [red, red, half],
        [red, red, none],
        [none, blue, none],
    ];
    let recording = recorded(Format::Png, &bytes);
    assert_eq!(recording.repeat, Some(Repeat::Times(2)));
    assert!(recording.frames.iter().all(|frame| frame.duration == 125));
    let shown: Vec<_> =
        recording.frames.into_iter().map(|frame| frame.raster.into_pixels()).collect();
    assert_eq!(shown, expected.map(|pixels| pixels.concat()));
}

#[test]
fn a_png_with_fewer_frames_than_it_says_is_refused() {
    let bytes = animated(Format::Png, Repeat::Forever);
    let control = bytes.windows(4).position(|kind| kind == b"acTL").unwrap();
    let count = [&[0, 0, 0, 4], &bytes[control + 8..control + 12]].concat();
    let other = container::written(*b"acTL", &count);
    let bytes = [&bytes[..control - 4], &other, &bytes[control + 16..]].concat();
    let outcome = refine(Format::Png, &bytes, &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(_)), "{outcome:?}");
}

#[test]
fn an_animation_keeps_its_frames_in_its_normal_form() {
    let formats = [Format::Gif, Format::Webp, Format::Png];
    for (from, to) in formats.into_iter().flat_map(|from| formats.map(|to| (from, to))) {
        let bytes = animated(from, Repeat::Times(4));
        let normal = Normal { fit: Some(size(20, 15)), format: Some(to), ..Normal::default() };
        let (output, dimensions) = written(refine(from, &bytes, &normal));
        assert_eq!(dimensions, size(20, 15));
        let recording = recorded(to, &output);
        assert_eq!(recording.repeat, Some(Repeat::Times(4)), "{from:?} to {to:?}");
        assert_scenes(&recording, &format!("{from:?} to {to:?}"));
        assert_eq!(refine(to, &output, &normal).0, Outcome::Untouched { dimensions });
    }
}
