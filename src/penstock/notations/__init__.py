"""Other notations that compile to DSL documents, and what can be said of a document before its deployment."""

from penstock.notations.check import check_workflow, expressions_of
from penstock.notations.detect import Notation, detect, refusal
from penstock.notations.error_maps import ErrorMap
from penstock.notations.labels import label_of
from penstock.notations.machinery import read_service, read_workflow
from penstock.notations.machinery_document import missing_inputs, to_document, unwrap_event
from penstock.notations.machinery_types import DataField, Operation, ServiceDefinition, WorkflowDefinition

__all__ = [
    "DataField",
    "ErrorMap",
    "Notation",
    "Operation",
    "ServiceDefinition",
    "WorkflowDefinition",
    "check_workflow",
    "detect",
    "expressions_of",
    "label_of",
    "missing_inputs",
    "read_service",
    "read_workflow",
    "refusal",
    "to_document",
    "unwrap_event",
]
