//! The pictures of `docs/dashboard.md`, of a bank under load and in real trouble.

use std::{collections::HashMap, env, fs, io::Cursor, path::Path, time::Duration};

use support::{Engine, TestDb, TestResult};

use crate::{bank::Bank, browser::Browser, service::Service};

/// A picture's most bytes.
const LARGEST: usize = 300_000;

/// The same picture with the 256 colours that it has most of, which is enough for a page of text.
fn packed(picture: &[u8]) -> TestResult<Vec<u8>> {
    let mut reader = png::Decoder::new(Cursor::new(picture)).read_info()?;
    let size = reader
        .output_buffer_size()
        .ok_or("a picture that is too large")?;
    let mut bytes = vec![0; size];
    let info = reader.next_frame(&mut bytes)?;
    let samples = info.color_type.samples();
    let pixels = || bytes.chunks_exact(samples).map(|p| [p[0], p[1], p[2]]);

    let mut often: HashMap<[u8; 3], usize> = HashMap::new();
    for pixel in pixels() {
        *often.entry(pixel).or_default() += 1;
    }
    let mut colours: Vec<_> = often.into_iter().collect();
    colours.sort_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
    let palette: Vec<[u8; 3]> = colours
        .iter()
        .take(256)
        .map(|(colour, _)| *colour)
        .collect();
    let far = |a: [u8; 3], b: [u8; 3]| {
        (0..3)
            .map(|i| u32::from(a[i].abs_diff(b[i])).pow(2))
            .sum::<u32>()
    };
    let nearest = |(colour, _): &([u8; 3], usize)| {
        let found = (0..=u8::MAX)
            .zip(&palette)
            .min_by_key(|(_, one)| far(*colour, **one));
        (*colour, found.map_or(0, |(index, _)| index))
    };
    let index: HashMap<[u8; 3], u8> = colours.iter().map(nearest).collect();

    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, info.width, info.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(palette.concat());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let indices: Vec<u8> = pixels().map(|pixel| index[&pixel]).collect();
    encoder.write_header()?.write_image_data(&indices)?;
    Ok(out)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn are_taken_of_real_trouble_on_postgres() -> TestResult {
    let bless = env::var_os("RESILIENT_BLESS").is_some();
    let bank = Bank::on(TestDb::new(Engine::Postgres).await?, "bank".to_owned()).await?;
    let service = Service::start(resilient_admin::router(bank.db.clone()).insecure()).await?;
    let browser = Browser::open(&service.url()).await?;
    let _load = bank.load(3, Duration::from_millis(15));
    let leak = bank.leak();
    // As many rounds as the charts need to tell of something.
    for round in 0..if bless { 12 } else { 1 } {
        bank.deadlock().await?;
        if round % 4 == 0 {
            bank.violate().await?;
        }
        tokio::time::sleep(Duration::from_secs(u64::from(bless) * 2)).await;
    }
    browser.until_text("#leaks", "Suspected leak").await?;
    browser
        .until(
            "the graph",
            "document.querySelector('#deadlocks-graph svg')",
        )
        .await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/images");
    for (name, width, scheme) in [
        ("light", 1280, "light"),
        ("dark", 1280, "dark"),
        ("phone", 360, "light"),
    ] {
        browser.prefer(&[("prefers-color-scheme", scheme)]).await?;
        let picture = packed(&browser.picture(width).await?)?;
        assert!(picture.len() < LARGEST, "{name}: {} bytes", picture.len());
        let path = folder.join(format!("dashboard-{name}.png"));
        if bless {
            fs::write(&path, picture)?;
        } else {
            assert!(path.is_file(), "no {}: RESILIENT_BLESS=1", path.display());
        }
    }
    browser.silent().await?;
    leak.end().await?;
    browser.close().await
}
