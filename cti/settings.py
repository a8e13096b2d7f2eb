"""What an operator sets: one tree, from a TOML file and the environment (which wins).

`CTI_` and two underscores between levels: `CTI_WEB__PORT=8081`. A secret may come as a file.
House rules are no settings: they stand in the house file (`cti.house`).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)
from typing_extensions import override

from cti.errors import ConfigError

Seconds = Annotated[float, Field(gt=0, le=3600)]
MaybeFile = Annotated[Path | None, BeforeValidator(lambda given: given or None)]
"""A file, or none; TOML and the environment say none by an empty text."""


Folder = Annotated[
    str,
    Field(
        pattern=r"^/[^=]*(=\s*(/[^=]*|sftp://[^\s=:@/]+@[^\s=@/]+/[^=]*|s3://[^\s=@/]+(/[^=]*)?))?$",
        max_length=1000,
    ),
]
"""A folder of a PBX, and where it is reached if not here by the same path."""


class Part(BaseModel):
    """A section: an unknown key is an error, never a silent default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PbxSettings(Part):
    """One Asterisk."""

    name: str = Field("main", pattern=r"^[a-z0-9-]{1,32}$", description="Our name for this PBX.")
    host: str = Field("127.0.0.1", description="Where its AMI listens.")
    port: int = Field(5038, ge=1, le=65535, description="AMI's TCP port.")
    user: str = Field("cti", description="The account in manager.conf.")
    secret: SecretStr = Field(SecretStr(""), description="Its secret; better `secret_file`.")
    secret_file: MaybeFile = Field(None, description="A file that holds the secret alone.")
    systemname: SecretStr = Field(
        SecretStr(""),
        description="The secret systemname of asterisk.conf; empty: read from the PBX at login.",
    )
    trunks: list[str] = Field(
        ["PJSIP/trunk*"],
        description="Where customers come from: shell patterns on channel names without suffix.",
    )
    recordings: list[Folder] = Field(
        [],
        description="Where it writes recordings and messages: `PATH`, `PATH = FOLDER HERE`, "
        "`PATH = sftp://USER@HOST/FOLDER` or `PATH = s3://BUCKET/PREFIX`; "
        "empty: none are collected.",
    )
    sftp_known_hosts: MaybeFile = Field(
        None, description="A file with the host keys of the SFTP servers, as OpenSSH writes it."
    )
    sftp_key_file: MaybeFile = Field(None, description="The private key that may log in there.")
    sftp_password_file: MaybeFile = Field(
        None, description="In place of a key: a file that holds the password alone."
    )
    s3_endpoint: str = Field(
        "", description="Where the bucket is, as https://s3.example.org; empty: Amazon's own."
    )
    s3_region: str = Field("us-east-1", description="Its region.")
    s3_key_id: str = Field("", description="The access key that may read it.")
    s3_secret_file: MaybeFile = Field(None, description="A file that holds its secret alone.")
    tls: bool = Field(False, description="Speak TLS with AMI.")
    tls_ca: MaybeFile = Field(None, description="CA file that signed its certificate.")
    connect_within: Seconds = Field(5.0, description="Seconds to connect, and again to log in.")
    ping_every: Seconds = Field(2.0, description="Ask the PBX this often whether it is there.")
    ping_within: Seconds = Field(4.5, description="No answer for this long: the link is dead.")

    def spools(self) -> list[tuple[str, str]]:
        """Give the folders of recordings: what the PBX calls each, and where it is reached."""
        told = [one.partition("=") for one in self.recordings]
        return [(path.strip(), (here or path).strip()) for path, _, here in told]

    def read_source_secret(self, key: str) -> str:
        """Give what `sftp_password_file` or `s3_secret_file` holds. Raises `ConfigError`."""
        return _secret(f"pbx {self.name}", key, getattr(self, key))

    def read_secret(self) -> str:
        """Give the AMI secret; the file wins. Raises `ConfigError`."""
        if self.secret_file is None:
            return self.secret.get_secret_value()
        try:
            return self.secret_file.read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise ConfigError(
                f"pbx {self.name}: cannot read secret_file {self.secret_file}: {fault.strerror}",
                "create the file with the AMI secret in it, readable by the user cti runs as",
                code="secret_file",
            ) from fault


class DatabaseSettings(Part):
    """Where records are kept."""

    url: str = Field(
        "",
        description="Empty: SQLite in the data directory. Else postgresql+asyncpg://user@host/name.",
    )
    password_file: MaybeFile = Field(None, description="A file that holds its password alone.")

    def read_password(self) -> str | None:
        """Give the database's password; none without a file. Raises `ConfigError`."""
        if self.password_file is None:
            return None
        try:
            return self.password_file.read_text(encoding="utf-8").strip()
        except OSError as fault:
            raise ConfigError(
                f"database: cannot read password_file {self.password_file}: {fault.strerror}",
                "create the file with the password in it, readable by the user cti runs as",
                code="secret_file",
            ) from fault


class RecordingSettings(Part):
    """Where recordings are kept; which are collected, each PBX says."""

    storage: MaybeFile = Field(
        None, description="The folder of recordings; empty: `recordings` in the data directory."
    )
    s3_bucket: str = Field(
        "", description="Keep them in this bucket in place of a folder: `NAME` or `NAME/PREFIX`."
    )
    s3_endpoint: str = Field(
        "", description="Where it is, as https://s3.example.org; empty: Amazon's own."
    )
    s3_region: str = Field("us-east-1", description="Its region.")
    s3_key_id: str = Field("", description="The access key that may use it.")
    s3_secret_file: MaybeFile = Field(None, description="A file that holds its secret alone.")
    key_file: MaybeFile = Field(
        None, description="Keys that encrypt them, made by `cti recordings key`; empty: none."
    )
    stop_below_gb: float = Field(
        1.0, ge=0, le=100_000, description="With less room than this nothing more is kept."
    )

    def read_s3_secret(self) -> str:
        """Give the bucket's secret. Raises `ConfigError`."""
        return _secret("recordings", "s3_secret_file", self.s3_secret_file)


def _secret(section: str, key: str, file: Path | None) -> str:
    try:
        return file.read_text(encoding="utf-8").strip() if file else ""
    except OSError as fault:
        raise ConfigError(
            f"{section}: cannot read {key} {file}: {fault.strerror}",
            "create the file with the secret in it, readable by the user cti runs as",
            code="secret_file",
        ) from fault


class WebSettings(Part):
    """The HTTP server."""

    host: str = Field("127.0.0.1", description="Address to listen on; loopback by default.")
    port: int = Field(8080, ge=0, le=65535, description="TCP port; 0: any free one.")
    public_url: str = Field(
        "",
        description="The address that browsers see, as https://cti.example.org; empty: http://host:port.",
    )
    origins: list[str] = Field(
        [], description="Other sites that may open the live channel, as https://crm.example.org."
    )
    frame_ancestors: list[str] = Field([], description="Sites that may frame our pages.")
    behind_proxy: bool = Field(
        False,
        description="A proxy of ours stands in front: take addresses from X-Forwarded-For's end.",
    )
    open_metrics: bool = Field(
        False, description="Give /metrics to every address, not to this machine alone."
    )
    session_hours: int = Field(12, ge=1, le=168, description="A login ends after this long.")
    locale: Literal["en", "zh-Hant", "zh-Hans"] = Field(
        "en", description="Language for who has chosen none and whose browser names none of ours."
    )


class LogSettings(Part):
    """What the operator reads."""

    form: Literal["json", "console"] = Field(
        "json", description="One JSON object per line, or lines for the eye."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What weighs less is not written."
    )


class Settings(BaseSettings):
    """Everything an operator sets."""

    model_config = SettingsConfigDict(
        env_prefix="CTI_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Field(Path("data"), description="Directory of the database and of tokens.")
    house: MaybeFile = Field(None, description="The house file; empty: the defaults.")
    pbx: list[PbxSettings] = Field(
        default_factory=lambda: [PbxSettings.model_validate({})], description="The PBXs."
    )
    database: DatabaseSettings = Field(DatabaseSettings.model_validate({}), description="Records.")
    recordings: RecordingSettings = Field(
        RecordingSettings.model_validate({}), description="Recordings."
    )
    web: WebSettings = Field(WebSettings.model_validate({}), description="Pages.")
    log: LogSettings = Field(LogSettings.model_validate({}), description="Logs.")

    @model_validator(mode="after")
    def _names_differ(self) -> "Settings":
        names = [pbx.name for pbx in self.pbx]
        if len(set(names)) != len(names):
            raise ValueError("two PBXs have the same name; give each its own `name`")
        return self

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, and what a test gives over both."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def database_url(self) -> str:
        """The database's address, without its password."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data / 'cti.sqlite3'}"

    @property
    def recordings_folder(self) -> Path:
        """The folder of recordings."""
        return self.recordings.storage or self.data / "recordings"


def load(file: Path | None = None, **given: Any) -> Settings:
    """Read the settings from a TOML file and the environment.

    Raises `ConfigError` that names file, key and reason.
    """
    if file is not None and not file.is_file():
        raise ConfigError(
            f"settings file {file} does not exist",
            "give --config FILE, or start from config/cti.toml",
            code="settings_file",
        )

    class _FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        return _FromFile(**given)
    except ValidationError as fault:
        found = "; ".join(
            _finding(error["loc"], error["type"], error["msg"]) for error in fault.errors()
        )
        raise ConfigError(
            f"settings ({file or 'environment'}): {found}",
            "every setting stands in docs/settings.md",
            code="settings",
        ) from None
    except SettingsError as fault:
        raise ConfigError(
            f"settings (environment): {fault}",
            "write a list as JSON, as CTI_WEB__ORIGINS='[\"https://crm.example.org\"]'",
            code="settings",
        ) from fault
    except (ValueError, OSError) as fault:
        raise ConfigError(
            f"settings file {file}: {fault}",
            "mend the TOML; config/cti.toml is a valid example",
            code="settings",
        ) from fault


def _finding(loc: Sequence[int | str], kind: str, why: str) -> str:
    """Say which key is wrong, or which variable of the environment, and why."""
    variable = "CTI_" + "__".join(str(part) for part in loc).upper()
    key = f"{variable} (environment)" if variable in os.environ else ".".join(map(str, loc))
    return f"{key or 'settings'}: {'no such setting' if kind == 'extra_forbidden' else why}"
