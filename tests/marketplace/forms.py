"""Question forms and answer keys for tests."""

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
FORM = f"{SCHEMAS}2017-11-06/QuestionForm.xsd"
KEY = f"{SCHEMAS}2005-10-01/AnswerKey.xsd"


def form(*parts: str, namespace: str = FORM) -> str:
    return f'<QuestionForm xmlns="{namespace}">{"".join(parts)}</QuestionForm>'


def question(identifier: str, answer: str, *, content: str = "<Text>Well?</Text>", more: str = "") -> str:
    return (
        f"<Question><QuestionIdentifier>{identifier}</QuestionIdentifier>{more}"
        f"<QuestionContent>{content}</QuestionContent>"
        f"<AnswerSpecification>{answer}</AnswerSpecification></Question>"
    )


def selection(
    *identifiers: str, least: int | None = None, most: int | None = None, style: str = "", other: str = ""
) -> str:
    """A SelectionAnswer; each selection's text is its identifier with a capital."""
    chosen = "".join(
        f"<Selection><SelectionIdentifier>{each}</SelectionIdentifier><Text>{each.capitalize()}</Text></Selection>"
        for each in identifiers
    )
    return (
        "<SelectionAnswer>"
        + (f"<MinSelectionCount>{least}</MinSelectionCount>" if least is not None else "")
        + (f"<MaxSelectionCount>{most}</MaxSelectionCount>" if most is not None else "")
        + (f"<StyleSuggestion>{style}</StyleSuggestion>" if style else "")
        + f"<Selections>{chosen}{other}</Selections></SelectionAnswer>"
    )


def free_text(constraints: str = "", more: str = "") -> str:
    inside = f"<Constraints>{constraints}</Constraints>" if constraints else ""
    return f"<FreeTextAnswer>{inside}{more}</FreeTextAnswer>"


def answer_key(scores: dict[str, list[tuple[str, int]]], *, mapping: str = "", default: str = "") -> str:
    """Per question the selections (several with a space between) and their score."""
    questions = "".join(
        f"<Question><QuestionIdentifier>{identifier}</QuestionIdentifier>"
        + "".join(
            "<AnswerOption>"
            + "".join(f"<SelectionIdentifier>{each}</SelectionIdentifier>" for each in chosen.split())
            + f"<AnswerScore>{score}</AnswerScore></AnswerOption>"
            for chosen, score in options
        )
        + f"{default}</Question>"
        for identifier, options in scores.items()
    )
    mapped = f"<QualificationValueMapping>{mapping}</QualificationValueMapping>" if mapping else ""
    return f'<AnswerKey xmlns="{KEY}">{questions}{mapped}</AnswerKey>'


TEST = form(
    "<Overview><Title>Colours</Title></Overview>",
    question("sky", selection("blue", "green")),
    question("grass", selection("blue", "green")),
)
TEST_KEY = answer_key(
    {"sky": [("blue", 1)], "grass": [("green", 1)]},
    mapping="<PercentageMapping><MaximumSummedScore>2</MaximumSummedScore></PercentageMapping>",
)
