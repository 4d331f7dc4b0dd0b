//! Settings: `settings.toml`, then the file of `--config`, then `FARMHAND__SECTION__KEY`, then flags.
