//! Generated crates on disk, compiled and measured.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use object::{Object as _, ObjectSection as _, SectionKind};

use super::{source, timed};
use crate::{Result, compile::source::Variant};

/// Where crates are generated and built.
#[derive(Debug)]
pub struct Host {
    workspace: PathBuf,
    folder: PathBuf,
}

/// What compiling a crate took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Seconds of processor time in `cargo check`.
    pub(super) check: f64,
    /// The same in `cargo build --release`.
    pub(super) release: f64,
    /// Bytes of the program's text.
    pub(super) text: f64,
}

impl Cost {
    /// More than any.
    pub(super) const MOST: Self = Self {
        check: f64::INFINITY,
        release: f64::INFINITY,
        text: f64::INFINITY,
    };

    /// The least of both.
    pub(super) fn least(self, other: Self) -> Self {
        Self {
            check: self.check.min(other.check),
            release: self.release.min(other.release),
            text: self.text.min(other.text),
        }
    }
}

impl Host {
    /// Crates below `output` that use the workspace's adapter.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn new(workspace: &Path, output: &Path) -> Result<Self> {
        let folder = output.join("compile");
        fs::create_dir_all(&folder)?;
        Ok(Self {
            workspace: workspace.to_owned(),
            folder,
        })
    }

    /// Writes the crate of a variant.
    pub(super) fn generate(&self, variant: &Variant, methods: u32) -> Result {
        let name = Self::name(variant);
        let manifest = source::manifest(&name, &self.adapter());
        self.write(&name, &manifest, &source::program(variant, methods)?)
    }

    /// Writes a crate, with the versions of this workspace.
    pub(super) fn write(&self, name: &str, manifest: &str, program: &str) -> Result {
        let folder = self.folder.join(name);
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), manifest)?;
        fs::write(folder.join("src/main.rs"), program)?;
        fs::copy(self.workspace.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        Ok(())
    }

    /// Compiles a variant's crate, once each way.
    pub(super) fn compile(&self, variant: &Variant) -> Result<Cost> {
        let name = Self::name(variant);
        let check = self.seconds(&name, &["check"])?;
        let release = self.seconds(&name, &["build", "--release"])?;
        let program = fs::read(self.target().join("release").join(&name))?;
        let program = object::File::parse(program.as_slice())?;
        let text = program
            .sections()
            .filter(|section| section.kind() == SectionKind::Text);
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let text = text.map(|section| section.size()).sum::<u64>() as f64;
        Ok(Cost {
            check,
            release,
            text,
        })
    }

    /// The compiler's processor time for a crate itself.
    fn seconds(&self, name: &str, arguments: &[&str]) -> Result<f64> {
        let source = self.folder.join(name).join("src/main.rs");
        let text = fs::read(&source)?;
        // Written anew, it is compiled anew.
        fs::write(&source, text)?;
        self.cargo(name, arguments)?;
        let times = timed::read(&self.times())?;
        let own = times
            .iter()
            .rev()
            .find(|(of, _)| *of == name.replace('-', "_"));
        Ok(own.ok_or_else(|| format!("{name} was not compiled"))?.1)
    }

    /// Runs cargo on a crate.
    pub(super) fn cargo(&self, name: &str, arguments: &[&str]) -> Result<String> {
        let wrapper = std::env::current_exe()?.with_file_name("timed-rustc");
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(arguments)
            .current_dir(self.folder.join(name))
            .env("CARGO_TARGET_DIR", self.target())
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTC_WRAPPER", wrapper)
            .env(timed::FILE, self.times())
            .output()?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cargo {} of {name}: {text}", arguments.join(" ")).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What each crate took when it was compiled, so far.
    pub(super) fn times(&self) -> PathBuf {
        self.folder.join("times")
    }

    /// The adapter's folder.
    pub(super) fn adapter(&self) -> String {
        self.workspace
            .join("resilient-sea-orm")
            .display()
            .to_string()
    }

    fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    fn name(variant: &Variant) -> String {
        format!("methods-{}", variant.name)
    }
}
