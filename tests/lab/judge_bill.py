"""Judges a bill of materials by the schema of CycloneDX 1.6."""

import pathlib
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

trouble = JsonStrictValidator(SchemaVersion.V1_6).validate_str(pathlib.Path(sys.argv[1]).read_text())
if trouble:
    sys.exit(str(trouble))
