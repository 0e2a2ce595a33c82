"""CSV files and DataFrames."""

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.data import errors, load
from tests.data import makers

IRIS = """petal,colour,kind
1.5,red,setosa
4.5,blue,virginica
1.4,red,setosa
4.1,blue,virginica
1.3,green,setosa
5.0,blue,virginica
"""


@pytest.fixture
def csv(tmp_path):
    def write(text: str | bytes, name: str = "iris.csv"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_numbers_and_words_become_features(csv):
    train, test = load(csv(IRIS), target="kind", test=0.34)
    assert train.classes == ("setosa", "virginica")
    assert (len(train), len(test)) == (4, 2)
    assert train.columns[0] == "petal"
    assert set(train.columns[1:]) <= {"colour=red", "colour=blue", "colour=green"}
    assert test.columns == train.columns
    assert train.inputs.dtype == torch.float32
    prepared = train.preprocess(train.inputs)
    assert prepared[:, 0].mean().abs() < 1e-6
    assert torch.equal(prepared[:, 1:], train.inputs[:, 1:])  # 0 and 1 of words stay 0 and 1
    assert "rows of" in repr(train)
    assert train.name == "iris"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators(csv, separator):
    train, _ = load(csv(IRIS.replace(",", separator)), target="kind")
    assert train.classes == ("setosa", "virginica")


def test_decimal_commas_byte_order_mark_quotes_and_blank_lines(csv):
    text = '\ufeff"petal";kind\r\n"1,5";a\r\n\r\n2,5;b\r\n3;a\r\n4;b\r\n'
    train, test = load(csv(text), target="kind", test=0.5)
    assert sorted(torch.cat([train.inputs, test.inputs]).flatten().tolist()) == [1.5, 2.5, 3, 4]


def test_train_and_test_files(csv, tmp_path):
    paths = csv(IRIS, "train.csv"), csv("petal,colour,kind\n2,violet,setosa\n", "test.csv")
    for what in (tmp_path, paths):
        train, test = load(what, target="kind")
        assert (len(train), len(test)) == (6, 1)
        assert test.inputs[0, 1:].sum() == 0  # a word that training never saw


def test_numbers_as_target_are_classes_in_their_order(csv):
    rows = "".join(f"{i},{i % 3 * 5}\n" for i in range(30))
    train, _ = load(csv("x,y\n" + rows), target="y")
    assert train.classes == ("0", "5", "10")


def test_ignored_columns(csv):
    train, _ = load(csv(IRIS), target="kind", ignore=["colour"])
    assert train.columns == ("petal",)


MANY = "name,y\n" + "".join(f"Person {i},{i % 2}\n" for i in range(60))


@pytest.mark.parametrize(
    ("text", "options", "error", "says"),
    [
        (IRIS, {}, errors.TargetNeeded, "petal, colour, kind"),
        (IRIS, {"target": "knd"}, errors.NoSuchColumn, 'target="kind"'),
        (IRIS, {"target": "kind", "ignore": ["size"]}, errors.NoSuchColumn, "size"),
        (IRIS.replace("4.5,", ","), {"target": "kind"}, errors.MissingValue, "line 3, column “petal”"),
        (IRIS.replace("4.5,", "NaN,"), {"target": "kind"}, errors.MissingValue, "line 3"),
        (IRIS.replace("4.5,", "inf,"), {"target": "kind"}, errors.NotFinite, "line 3, column petal is inf"),
        (IRIS.replace("4.1,blue", "4.1,"), {"target": "kind"}, errors.MissingValue, "line 5, column “colour”"),
        (
            IRIS.replace("5.0,blue,virginica", "5,blue,"),
            {"target": "kind"},
            errors.MissingValue,
            "line 7, column “kind”",
        ),
        (IRIS + "1,2\n", {"target": "kind"}, errors.UnreadableTable, "line 8: 2 values instead of 3"),
        (IRIS.replace("colour", "petal"), {"target": "kind"}, errors.UnreadableTable, "two columns are called “petal”"),
        ("1,2\n3,4\n", {"target": "1"}, errors.UnreadableTable, "line 1: it holds values"),
        (
            "5.1,red,setosa\n4,red,setosa\n3,blue,other\n2,red,other\n",
            {"target": "setosa"},
            errors.UnreadableTable,
            "values",
        ),
        ("x,,y\n1,2,a\n3,4,b\n", {"target": "y"}, errors.UnreadableTable, "column 2 has no name"),
        (",x,y\n7,2,a\n7,4,b\n", {"target": "y"}, errors.UnreadableTable, "column 1 has no name"),
        ('a,b\n"1,2\n', {"target": "a"}, errors.UnreadableTable, "line 2"),
        ("a,b\n", {"target": "a"}, errors.NoSamples, "iris.csv"),
        ("", {"target": "a"}, errors.NoSamples, "iris.csv"),
        ("名前,種類\n".encode("cp932"), {"target": "a"}, errors.NotUtf8, "byte 0"),
        (MANY, {"target": "y"}, errors.TooManyWords, "“name” holds 4[0-9] different"),
        ("x,y\n" + "".join(f"{i},{i / 7}\n" for i in range(50)), {"target": "y"}, errors.LabelsNotClasses, "“y”"),
        ("x,y\n1,a\n2,a\n3,a\n", {"target": "y"}, errors.OneClass, "same label: a"),
        ("y\na\nb\na\nb\n", {"target": "y"}, errors.NoInputs, "besides “y”"),
        ("x,y\n1,a\n2,b\n", {"target": "y", "size": 8}, errors.OptionNotUsed, "size= cannot be used with a table"),
        (IRIS, {"target": "kind", "classes": ["setosa"]}, errors.UnknownClass, "not among the classes"),
    ],
)
def test_what_is_wrong_is_said(csv, text, options, error, says):
    with pytest.raises(error, match=says):
        load(csv(text), **options)


def test_a_frame():
    frame = pd.DataFrame(
        {
            "size": [1, 2, 3, 4] * 5,
            "wet": [True, False] * 10,
            "colour": pd.Categorical(["r", "g"] * 10),
            "kind": ["a", "b"] * 10,
        }
    )
    train, test = load(frame, target="kind")
    assert train.columns == ("size", "wet", "colour=g", "colour=r")
    assert (len(train), len(test)) == (16, 4)
    both, _ = load((frame, frame.iloc[:4]), target="kind")
    assert len(both) == 20
    nullable = frame.convert_dtypes()
    assert torch.equal(load(nullable, target="kind")[0].inputs, train.inputs)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_missing_value_in_a_frame_is_named_by_its_index(missing):
    frame = pd.DataFrame({"x": [1, 2, 3, 4], "word": ["u", missing, "v", "u"], "y": ["a", "b", "a", "b"]})
    frame.index = ["ann", "bob", "cid", "dan"]
    with pytest.raises(errors.MissingValue, match="row bob, column “word”"):
        load((frame, frame), target="y")
    with pytest.raises(errors.MissingValue, match="column “word”"):
        load(frame, target="word")


def test_frames_that_do_not_fit():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4], "y": ["a", "b"] * 2})
    with pytest.raises(errors.NoSuchColumn, match="x"):
        load((frame, frame[["y"]]), target="y")
    with pytest.raises(errors.NotNumbers, match="x"):
        load((frame, frame.astype({"x": str})), target="y")
    with pytest.raises(errors.NoSamples):
        load((frame, frame.iloc[:0]), target="y")
    with pytest.raises(errors.NoSamples):
        load(frame.iloc[:0], target="y")
    with pytest.raises(errors.SameName, match="Two columns of the DataFrame are called “x”"):
        load(pd.concat([frame, frame], axis=1), target="y")
    with pytest.raises(errors.NotNumbers, match="lists in column “x”"):
        load(frame.assign(x=[[1], [1, 2], [3], [4]]), target="y")


def test_the_numbers_of_rows_that_pandas_writes_are_no_input(csv):
    frame = pd.DataFrame({"x": range(10), "y": ["a", "b"] * 5}).sample(frac=1, random_state=0)
    train, _ = load(csv(frame.to_csv()), target="y")
    assert train.columns == ("x",)
    train, _ = load(csv(frame.to_csv(index=False).replace("\n", ",\n")), target="y")
    assert train.columns == ("x",)


def test_cells_may_hold_any_character(csv):
    rows = "".join(f'{i};"1\u2028\n2";{"ab"[i % 2]}\n' for i in range(8))
    train, _ = load(csv('"x, in\ncm";word;kind\n' + rows), target="kind")
    assert train.columns == ("x, in\ncm", "word=1\u2028\n2")
    train, _ = load(csv("sep=;\nx;y\n" + "".join(f"{i},5;{'ab'[i % 2]}\n" for i in range(8))), target="y")
    assert all(value % 1 == 0.5 for value in train.inputs[:, 0].tolist())
    with pytest.raises(errors.MissingValue, match="line 4"):
        load(csv("sep=;\nx;y\n1;a\n;b\n2;a\n3;b\n"), target="y", test=0.5)


def test_words_that_python_reads_as_numbers_stay_words(csv):
    train, _ = load(csv("x,y\n" + "".join(f"1_{i % 2},{'ab'[i % 2]}\n" for i in range(8))), target="y")
    assert train.columns == ("x=1_0", "x=1_1")


def test_classes_name_the_numbers_of_a_target(csv):
    rows = "x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(10))
    train, _ = load(csv(rows), target="y", classes=["no", "yes"])
    assert train.classes == ("no", "yes")
    assert torch.equal(train.labels, train.inputs[:, 0].long() % 2)


def test_true_and_false_are_classes_of_these_names():
    frame = pd.DataFrame({"x": range(10), "y": [True, False] * 5})
    train, _ = load(frame, target="y")
    assert train.classes == ("False", "True")
    assert torch.equal(train.labels, (train.inputs[:, 0].long() + 1) % 2)


def test_columns_of_a_frame_may_be_numbers_objects_and_lists():
    frame = pd.DataFrame({0: pd.Series(range(60), dtype=object), 1: [[1.0, 2.0]] * 60, 2: ["a", "b"] * 30})
    train, _ = load(frame, target=2, ignore=[])
    assert train.columns == ("0", "1[0]", "1[1]")
    train, _ = load(frame, target=2, ignore="0")
    assert train.columns == ("1[0]", "1[1]")


cells = st.one_of(st.floats(), st.integers(-(10**20), 10**20), st.text(max_size=3), st.none(), st.booleans())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(cells, st.floats(-1e3, 1e3), st.sampled_from("ab")), min_size=0, max_size=15))
def test_any_frame_is_loaded_whole_or_refused_in_words(rows):
    frame = pd.DataFrame(rows, columns=["any", "number", "y"])
    try:
        train, test = load(frame, target="y")
    except errors.DataError as error:
        makers.check_words(error)
        return
    assert len(train) + len(test) == len(frame)
    assert torch.isfinite(train.preprocess(train.inputs)).all()
    assert len(train.columns) == train.inputs.shape[1]


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="ab1.,;\n\"'\t \x00é-", max_size=60))
def test_any_text_is_a_table_or_refused_in_words(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "any.csv"
    path.write_text("a,b\n" + text, encoding="utf-8", newline="")
    try:
        train, test = load(path, target="a")
    except errors.DataError as error:
        makers.check_words(error)
        return
    assert len(train) + len(test) >= 2
