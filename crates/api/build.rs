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
    // Copies, so that a console that is built meanwhile takes no file away from the compiler.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let copies = out.join("console");
    if copies.is_dir() {
        fs::remove_dir_all(&copies)?;
    }
    let mut table = String::from("static FILES: &[File] = &[\n");
    for file in files {
        let path = file.strip_prefix(&dist)?;
        let copy = copies.join(path);
        fs::create_dir_all(copy.parent().unwrap_or(&copies))?;
        fs::copy(&file, &copy)?;
        let path = path.to_str().ok_or("a file in console/dist has no UTF-8 name")?;
        let (path, media) = (format!("/{}", path.replace('\\', "/")), media(&file)?);
        writeln!(
            table,
            "File {{ path: {path:?}, media: {media:?}, \
             bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/console\", {path:?})) }},"
        )?;
    }
    table.push_str("];\n");
    fs::write(out.join("console.rs"), table)?;
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
