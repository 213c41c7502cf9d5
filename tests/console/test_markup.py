"""Tables and words as the pages write them."""

from dashboards.console.markup import figures, html, table


def test_a_cell_knows_the_name_of_its_column_and_the_first_named_one_leads() -> None:
    made = table(["", "name", "met"], [[1, html("<b>{n}</b>", n="<A>"), "3 / 4"]], (2,))
    assert '<th></th><th class="lead">name</th><th class="n">met</th>' in made
    assert '<td data-head="">1</td>' in made
    assert '<td class="lead" data-head="Name"><b>&lt;A&gt;</b></td>' in made
    assert '<td class="n" data-head="Met">3 / 4</td>' in made


def test_a_figure_that_is_not_known_has_no_unit() -> None:
    made = figures([("closed", "–", "%"), ("filed", "99.3", "%")])
    assert "<b>–</b><small></small>" in made
    assert "<b>99.3</b><small>%</small>" in made
