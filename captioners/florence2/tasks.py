"""Caption styles, and the Florence-2 task that gives each."""

TASK_OF_STYLE = {
    "short": "<CAPTION>",
    "detailed": "<DETAILED_CAPTION>",
    "paragraph": "<MORE_DETAILED_CAPTION>",
}
