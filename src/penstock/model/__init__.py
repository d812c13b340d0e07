"""The document model: what an Open Workflow document says, read, validated and written; no behaviour."""

from penstock.model.bounds import Bounds, bounds
from penstock.model.diagnostics import Diagnostic
from penstock.model.dump import dump_json, dump_yaml
from penstock.model.executable import refusals
from penstock.model.load import LoadedDocument, load_data, load_document
from penstock.model.workflow import Workflow, WorkflowIdentity

__all__ = [
    "Bounds",
    "Diagnostic",
    "LoadedDocument",
    "Workflow",
    "WorkflowIdentity",
    "bounds",
    "dump_json",
    "dump_yaml",
    "load_data",
    "load_document",
    "refusals",
]
