//! Where settings come from, and the file among them that may change while the agent runs.

use std::path::{Path, PathBuf};

use super::{BackendKind, Config, ConfigError, ConfigFile, Given, Settings, file};

/// Where settings come from. The first that says something wins.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// The command line.
    pub flags: Settings,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// What the machine says, where nobody else does.
    pub machine: Settings,
}

/// What an agent starts with.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is to be warned about in the file, one sentence each.
    pub warnings: Vec<String>,
    /// The file, to be followed.
    pub file: Option<FollowedFile>,
}

/// A configuration file as it was when the agent started.
#[derive(Clone, Debug)]
pub struct FollowedFile {
    path: PathBuf,
    flags: Settings,
    machine: Settings,
    text: String,
    /// What counted then, of all layers.
    settings: Settings,
}

/// What a file says now, with the other layers.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) warnings: Vec<String>,
    /// What new connections are to go through.
    pub(crate) backend: BackendKind,
    /// What the file says of it, whoever wins.
    pub(crate) said: Option<Given<String>>,
    /// Keys that count from the next start on.
    pub(crate) for_restart: Vec<String>,
}

impl Layers {
    /// Reads the file, and checks every setting.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the flag or the key.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let Layers { flags, file, machine } = self;
        let Some(path) = file else {
            let config = flags.or(machine).resolve()?;
            return Ok(Loaded::from(config));
        };
        let text = file::read_text(&path)?;
        let ConfigFile { settings, warnings } = file::parse(&text, &path)?;
        let settings = flags.clone().or(settings).or(machine.clone());
        let config = settings.clone().resolve()?;
        let file = Some(FollowedFile { path, flags, machine, text, settings });
        Ok(Loaded { config, warnings, file })
    }
}

impl From<Config> for Loaded {
    /// Without a file.
    fn from(config: Config) -> Loaded {
        Loaded { config, warnings: Vec::new(), file: None }
    }
}

impl FollowedFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was in it when the agent started.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The flag that wins over what the file says of the backend.
    pub(crate) fn backend_flag(&self) -> Option<&Given<String>> {
        self.flags.backend.as_ref()
    }

    /// What counted at the start.
    pub(crate) fn reading_at_start(&self) -> Result<Reading, ConfigError> {
        self.read(&self.text)
    }

    /// What counts with this text in the file.
    pub(crate) fn read(&self, text: &str) -> Result<Reading, ConfigError> {
        let ConfigFile { settings: of_file, warnings } = file::parse(text, &self.path)?;
        let said = of_file.backend.clone();
        let settings = self.flags.clone().or(of_file).or(self.machine.clone());
        let for_restart = settings.keys_that_differ(&self.settings, &self.path);
        let Config { backend, .. } = settings.resolve()?;
        Ok(Reading { warnings, backend, said, for_restart })
    }
}
