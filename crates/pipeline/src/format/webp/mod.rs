//! WebP, still and animated, by libwebp.

mod container;
mod libwebp;

use super::codec::{
    Codec, Encoder, Frame, FrameSink, Picture, PlaneInput, Qualities, Repeat, Source,
};
use super::survey::{Profile, corrupt};
use crate::job::Fault;
use crate::step::flatten::gray_to_rgb;
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Webp,
    beginnings: &[b"RIFF"],
    sniff: |bytes| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
    header: container::header,
    walk: container::survey,
    strip: |bytes, _| container::strip(bytes),
    repaired: |_, _| None,
    place_exif: Some(container::with_exif),
    verify,
    picture: |source, _| picture(source),
    frames: Some(frames),
    planar: None,
    encode: Some(Encoder {
        picture: |raster, target| libwebp::encode(&gray_to_rgb(raster), target.quality),
        planes: PlaneInput::AsRgb,
        qualities: Qualities { stored: 85, variant: 80 },
        animation: Some(|size, repeat, target| {
            Ok(Box::new(libwebp::Animation::new(size, repeat, target.quality)?))
        }),
    }),
};

fn verify(source: &Source<'_>) -> Result<Profile, Fault> {
    if source.survey.frames == 1 && libwebp::still(source.bytes, source.survey.size)?.is_some() {
        return Ok(Profile::Kept);
    }
    let mut frames = libwebp::Frames::new(source.bytes)?;
    let mut count = 0;
    while frames.next_frame()?.is_some() {
        count += 1;
    }
    if count == source.survey.frames {
        return Ok(Profile::Kept);
    }
    Err(Fault::Corrupt(format!("{count} of {} frames can be read", source.survey.frames)))
}

fn picture(source: &Source<'_>) -> Result<Picture, Fault> {
    let profile = source.survey.profile.clone();
    if let Some(raster) = libwebp::still(source.bytes, source.survey.size)? {
        return Ok(Picture { raster, profile });
    }
    let first = libwebp::Frames::new(source.bytes)?.next_frame()?;
    let (raster, _) = first.ok_or_else(|| corrupt("there is no image in the file"))?;
    Ok(Picture { raster, profile })
}

fn frames(source: &Source<'_>, sink: &mut FrameSink<'_>) -> Result<(), Fault> {
    let mut frames = libwebp::Frames::new(source.bytes)?;
    let repeat = match u16::try_from(frames.loops()) {
        Ok(0) | Err(_) => Repeat::Forever,
        Ok(times) => Repeat::Times(times),
    };
    let mut shown = 0;
    while let Some((raster, until)) = frames.next_frame()? {
        sink(Frame { raster, duration: until.saturating_sub(shown) }, repeat)?;
        shown = until;
    }
    Ok(())
}
