"""Options whose views are made once say the same as Beam's own."""

import pickle

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, SetupOptions, TypeOptions

from florenz.pipeline.jobs.views import Options

WORDS = ["--direct_num_workers=3", "--setup_file=setup.py"]


def test_values_are_those_of_beams_own_options() -> None:
    ours, beams = Options(WORDS), PipelineOptions(WORDS)
    for kind in (DirectOptions, SetupOptions, TypeOptions):
        assert ours.view_as(kind).get_all_options() == beams.view_as(kind).get_all_options()
    assert ours.get_all_options() == beams.get_all_options()
    assert ours.view_as(DirectOptions).direct_num_workers == 3


def test_a_view_is_made_once_and_shows_what_was_set_through_any_other() -> None:
    options = Options(WORDS)
    view = options.view_as(DirectOptions)
    assert options.view_as(DirectOptions) is view
    PipelineOptions.view_as(options, DirectOptions).direct_num_workers = 5
    assert view.direct_num_workers == 5
    view.direct_num_workers = 7
    assert options.view_as(DirectOptions).direct_num_workers == 7
    assert Options(WORDS).view_as(DirectOptions).direct_num_workers == 3, "nothing is shared between options"


def test_they_survive_the_way_to_another_process() -> None:
    options = Options(WORDS)
    options.view_as(DirectOptions).direct_num_workers = 9
    copy = pickle.loads(pickle.dumps(options))
    assert copy.view_as(DirectOptions).direct_num_workers == 9
