"""The pure interpreter: a run's state and a message in; a new state, commands and facts out. No I/O, no clock."""

from penstock.kernel.compiler import Resources as Resources
from penstock.kernel.compiler import ResourceUse as ResourceUse
from penstock.kernel.compiler import compile_program as compile_program
from penstock.kernel.compiler import external_resources as external_resources
from penstock.kernel.interpreter import step as step
from penstock.kernel.needs import Answer as Answer
from penstock.kernel.needs import Need as Need
from penstock.kernel.needs import Step as Step
from penstock.kernel.nodes import Program as Program
