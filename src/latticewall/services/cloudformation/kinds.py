"""CloudFormation's kinds and the members of their rows that never leave the API.

Rows of stacks have the engine status "working" while the runner has something to do, "ready" while not, "deleted" after DeleteStack; AWS's words are in
the documents. The resources and events of a stack are rows of their own, so that progress rewrites little.

| kind           | id, parent             | private members                                                                                           |
| -------------- | ---------------------- | --------------------------------------------------------------------------------------------------------- |
| Stack          | its ARN                | _template text, _values (parameters.Values), _caller, _generation (count of operations), _previous (what  |
|                |                        | a failed update goes back to), _on_failure, _retain, _imports, _token, _started                           |
| StackResource  | <uuid>/<logical id>,   | _row id, _properties as resolved, _tags, _generation in which it was last right, _settled, _old (what a   |
|                | stack                  | replacement left behind), _needs (logical ids), _deletion_policy                                          |
| StackEvent     | <uuid>/<order>, stack  |                                                                                                           |
| ChangeSet      | its ARN, stack         | _template, _values, _tags, _capabilities, _caller                                                         |
"""

from __future__ import annotations

from latticewall.resources.kind import Kind

STACK = "cloudformation:Stack"
RESOURCE = "cloudformation:StackResource"
EVENT = "cloudformation:StackEvent"
CHANGE_SET = "cloudformation:ChangeSet"
WORKING = "working"
STACK_TYPE = "AWS::CloudFormation::Stack"

KINDS = (
    Kind(STACK, id_member="StackId", arn="{id}", name_member="StackName", tag_member="Tags", not_found="ValidationError"),
    Kind(RESOURCE),
    Kind(EVENT, id_member="EventId"),
    Kind(CHANGE_SET, id_member="ChangeSetId", arn="{id}", name_member="ChangeSetName", tag_member="Tags", not_found="ChangeSetNotFound"),
)
