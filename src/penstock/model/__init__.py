"""The document model: what an Open Workflow document says, read, validated and written; no behaviour."""

from penstock.model.diagnostics import Diagnostic
from penstock.model.load import LoadedDocument, load_data, load_document
from penstock.model.workflow import Workflow, WorkflowIdentity

__all__ = ["Diagnostic", "LoadedDocument", "Workflow", "WorkflowIdentity", "load_data", "load_document"]
