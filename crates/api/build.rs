//! Puts the built console, `console/dist`, into the library; without one the page says how to build it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let dist = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../console/dist");
    // Git keeps the folder, so that Cargo sees the first build in it as a change.
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        collect(&dist, &mut files)?;
    }
    files.sort();
    let mut table = String::from("static FILES: &[File] = &[\n");
    for file in files {
        let path = file.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
        let (path, media) = (format!("/{path}"), media(&file)?);
        let file = file.canonicalize()?;
        let file =
            file.to_str().ok_or("the path of console/dist is no UTF-8: move the repository")?;
        writeln!(
            table,
            "File {{ path: {path:?}, media: {media:?}, bytes: include_bytes!({file:?}) }},"
        )?;
    }
    table.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("console.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() {
            collect(&path, files)?;
        } else if !hidden {
            files.push(path);
        }
    }
    Ok(())
}

fn media(file: &Path) -> Result<&'static str, String> {
    Ok(match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => return Err(format!("{} has no media type: name it in build.rs", file.display())),
    })
}
