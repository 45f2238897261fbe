"""Says what is wrong with a line: the token that fits nowhere, and what was meant.

The explanations are tried in order; each is a function of the fault that returns None
where it does not apply. The last always applies.
"""

from __future__ import annotations

from collections.abc import Callable

from ...diagnostics import Diagnostic
from ..tokens import END
from . import (
    habits,
    habits_declared,
    habits_heads,
    habits_inputs,
    habits_sections,
    habits_training,
    habits_values,
    habits_weights,
    odd_operators,
    odd_statements,
    odd_words,
)
from .fault import Fault
from .foreign import (
    comments,
    configs,
    heads,
    keys,
    objectives,
    repeats,
    used,
    word_before,
)
from .token_kinds import OPERATORS, SPELLING

Explanation = Callable[[Fault], Diagnostic | None]


def explain(fault: Fault) -> Diagnostic:
    """The diagnostic for a line that no rule fits."""
    for explanation in _EXPLANATIONS:
        if found := explanation(fault):
            return found
    return _unexpected(fault)


def _unexpected(fault: Fault) -> Diagnostic:
    end = fault.kind == END
    what = "end of line" if end else f"`{fault.token.text}`"
    goes_on = end and fault.before is not None and fault.before.kind in OPERATORS
    help = "lines continue inside brackets: put both into `(...)`" if goes_on else ""
    return fault.report("N120", f"unexpected {what}", help, label=_expected(fault))


def _expected(fault: Fault) -> str:
    kinds = {*fault.failure.accepted}
    said: list[str] = []
    if {"NAME", "INT"} <= kinds:
        said.append("a value")
        kinds = kinds & {"RPAR", "RSQB", END}
    elif "NAME" in kinds:
        said.append("a name")
    elif "STRING" in kinds:
        said.append("a string")
    if "PLUS" in kinds:
        said.append("an operator")
        kinds -= OPERATORS
    said += sorted(f"`{SPELLING[kind]}`" for kind in kinds if kind in SPELLING)
    if END in kinds:
        said.append("the end of the line")
    if not said or len(said) > 5:
        return ""
    *most, last = said
    return "expected " + (f"{', '.join(most)} or {last}" if most else last)


_EXPLANATIONS: tuple[Explanation, ...] = (
    odd_statements.missing_colon,
    habits.comment,
    comments.marked,
    heads.bare_parameters,
    heads.headless,
    heads.equals,
    heads.inputs_in_head,
    heads.keyword_colon,
    heads.nameless_generate,
    habits.decorator,
    habits.else_if,
    habits_heads.keyword_gets_value,
    habits_values.printed,
    habits.prefixed_string,
    habits_declared.dots,
    habits_declared.python_code,
    habits_declared.dotted_use,
    objectives.minimised,
    objectives.adapted,
    objectives.trained_together,
    objectives.trained_with,
    objectives.trained_only,
    objectives.counted_setting,
    objectives.unsigned,
    configs.section,
    used.used,
    used.external,
    habits_sections.rule_first,
    habits_weights.several_keys,
    habits_weights.key_first,
    word_before.target,
    word_before.spaced_name,
    word_before.typed_before,
    word_before.optional_word,
    keys.named_stage,
    keys.named_output,
    keys.section,
    keys.dtype_behind,
    repeats.times,
    repeats.percent,
    repeats.dotted,
    repeats.added,
    repeats.product,
    habits_inputs.undeclared,
    habits_inputs.result,
    habits_inputs.nameless,
    keys.key,
    habits_declared.round_inputs,
    habits_declared.called_dtype,
    habits_declared.dotted_type,
    habits_declared.any_size,
    habits_declared.trains_not,
    habits_declared.shape_by_equals,
    habits_declared.joined_inputs,
    habits_training.setting,
    habits_training.called_without_brackets,
    habits_training.objectives,
    habits_training.odd_paths,
    habits_training.check_with_words,
    habits_training.defaults,
    habits_sections.key_first,
    habits_sections.quoted_head,
    habits_sections.filler,
    habits_sections.train_with_parameters,
    habits_sections.rule_without_from,
    habits_sections.numbered,
    habits_sections.every_place,
    habits_sections.loop_in_weights,
    habits_sections.required_by_colon,
    habits_sections.listed,
    habits_sections.renamed_to,
    habits_sections.bracketed_paths,
    habits_sections.adapted,
    habits_sections.frozen_as,
    habits_sections.collected_as,
    habits_sections.scan_as_value,
    habits_sections.with_more,
    habits_sections.named_by_colon,
    habits_weights.equals_twice,
    habits_weights.dashed_name,
    habits_weights.nested_config,
    habits_weights.path_first,
    habits_weights.other_row,
    habits_weights.arrow_for_equals,
    habits_weights.unquoted,
    habits_heads.nameless_config,
    habits_heads.other_brackets,
    habits_values.choice_first,
    habits_values.loop_in_brackets,
    habits_values.check_or,
    habits_values.two_colons,
    habits_values.then_or_do,
    habits_values.quoted_name,
    habits_values.empty_return,
    habits_values.odd_shape,
    habits_values.carry_without_value,
    habits_values.colon_after_return,
    habits_values.long_arrow,
    habits_values.trailing_comma,
    habits_values.words_behind,
    habits_heads.scan_backwards,
    habits_values.shape_by_value,
    habits_values.typed_value,
    habits_values.empty_tuple,
    habits_values.bar_between_masks,
    habits.increment,
    habits.carries_in_parentheses,
    habits.misplaced_module,
    habits.starred,
    habits.returned_type,
    habits.generate_with_more,
    odd_statements.use_without_from,
    odd_words.keyword_as_name,
    odd_words.python_word,
    odd_operators.chained_comparison,
    odd_operators.assignment_in_condition,
    odd_statements.counted,
    odd_statements.range_of_others,
    odd_operators.bar,
    odd_operators.second_assignment,
    odd_operators.arrow_to_nothing,
    odd_operators.arrow_from_nothing,
    odd_statements.body_on_the_line,
    odd_words.misspelt_keyword,
    odd_statements.half_a_scan,
    habits.nameless_metric,
    habits.path_of_others,
    habits.typed_parameter,
    habits.round_shape,
    habits.colon_for_equals,
    odd_statements.nameless_collect,
    odd_words.begins_nothing,
    odd_operators.not_in,
    odd_operators.arithmetic_after_as,
    habits_values.half_a_choice,
    odd_operators.missing_comma,
    odd_statements.untyped_field,
    odd_statements.no_result,
    odd_operators.several_values,
    odd_operators.unary_plus,
    habits.comprehension,
)
