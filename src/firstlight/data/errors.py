"""What can be wrong with data, each in three sentences that name the file, row or column."""

from firstlight.errors import FirstlightError
from firstlight.locale import Text


class DataError(FirstlightError):
    """The parent of every error of this room; one `except` catches them all."""

    text = Text(
        what="The data cannot be used.",
        why="Something in it is not as it must be.",
        do="Look at the message of the error itself.",
    )


class UnknownDataset(DataError, ValueError):
    """A name that is neither in the catalogue nor a path."""

    text = Text(
        what="There is no dataset called “{name}”. Did you mean “{nearest}”?",
        why=(
            "load() knows these names: {names}. A path to a folder or file is possible too; nothing stands at “{name}”."
        ),
        do='Write load("{nearest}"), or give the path of your own data.',
    )


class NothingThere(DataError, FileNotFoundError):
    """A path that leads nowhere."""

    text = Text(
        what="There is no file or folder at {path}.",
        why="The way to it starts in the folder {folder}.",
        do="Check the spelling, or give the full path.",
    )


class MisspelledPath(NothingThere):
    """A path that leads nowhere, beside one of nearly the same name."""

    text = Text(
        what="There is no file or folder at {path}. Did you mean {nearest}?",
        why="The way to it starts in the folder {folder}.",
        do="Write {nearest}, or give the full path of what you mean.",
    )


class CannotLoad(DataError, TypeError):
    """An object of a kind that `load` does not know."""

    text = Text(
        what="load() does not know what to do with a {kind}.",
        why=(
            "It takes a name, a path, arrays or tensors (X, y), a DataFrame, a torch Dataset with a length or a "
            "Hugging Face dataset."
        ),
        do="Turn the data into one of these, for instance load((X, y)) with NumPy arrays.",
    )


class UnknownFile(DataError, ValueError):
    """A file of a kind that `load` does not read."""

    text = Text(
        what="load() cannot read the file {path}.",
        why="It reads tables (.csv, .tsv), arrays (.npz) and folders of pictures.",
        do="Save the data in one of these forms, or read it yourself and call load((X, y)).",
    )


class UnreadablePicture(DataError, ValueError):
    """A picture file that is broken or is none."""

    text = Text(
        what="The picture {path} cannot be read: {reason}.",
        why="The file is damaged, cut off, or not a picture.",
        do="Open it in a picture viewer; save it again as PNG or JPEG, or delete it.",
    )


class PictureTooLarge(DataError, ValueError):
    """A picture that would fill the memory when decoded."""

    text = Text(
        what="The picture {path} has {width} × {height} pixels.",
        why=(
            "More than {limit} million pixels would take gigabytes of memory; such files are mostly accidents or traps."
        ),
        do="Make it smaller in a picture editor, or delete it.",
    )


class UnsupportedPicture(DataError, ValueError):
    """A photo in a format that is not read here."""

    text = Text(
        what="The picture {path} is in the format {suffix}, which is not read here.",
        why="Phones write this format; a further package would be needed to decode it.",
        do="Export the photos as JPEG or PNG (on a phone: share them as “most compatible”).",
    )


class MixedSizes(DataError, ValueError):
    """Pictures of different sizes and no word on which size they should get."""

    text = Text(
        what="The pictures have different sizes: {first} is {first_size}, {other} is {other_size}.",
        why="A batch is one block of numbers, so all its pictures need the same size.",
        do="Say which size they should get, for instance load(..., size=64).",
    )


class NoClassFolders(DataError, ValueError):
    """A folder without class folders in it."""

    text = Text(
        what="The folder {folder} has no class folders with pictures in it.",
        why="load() takes the name of each sub-folder as the name of a class: {folder}/cat/1.jpg, {folder}/dog/2.jpg.",
        do="Sort the pictures into one folder per class.",
    )


class EmptyClass(DataError, ValueError):
    """A class folder without a picture."""

    text = Text(
        what="The class folder {folder} holds no picture.",
        why="A class cannot be learned without samples. Pictures end in {suffixes}.",
        do="Put pictures into it, or delete the folder.",
    )


class UnknownClass(DataError, ValueError):
    """A label that the list of classes does not hold."""

    text = Text(
        what="The label “{name}” in {place} is not among the classes that were given.",
        why="classes= names them all: {classes}.",
        do="Add it to classes=, or correct the label.",
    )


class ClassesDiffer(DataError, ValueError):
    """A test split with a class that the training split does not have."""

    text = Text(
        what="The class “{name}” is in the test split, but not in the training split.",
        why="A model cannot know a class that it never saw in training.",
        do="Add training samples of this class, or remove it from the test split.",
    )


class LabelOutOfRange(DataError, ValueError):
    """A label that is not the number of a class."""

    text = Text(
        what="The label at {place} is {label}, but the classes are numbered from 0 to {last}.",
        why="A label is the position of its class in the list of classes, and counting starts at 0.",
        do="Correct this label, or give the labels as words: load((X, y.astype(str))).",
    )


class LabelGap(DataError, ValueError):
    """Class numbers that leave one out."""

    text = Text(
        what="The labels go up to {largest}, but no training sample has the label {missing}.",
        why=(
            "Class numbers run from 0 without a gap: with K classes they are 0 to K - 1. Often the labels start at "
            "1 by mistake."
        ),
        do=(
            "Number the classes anew, 0, 1, 2 and so on, or name all of them yourself: "
            'load(..., classes=["cat", "dog"]).'
        ),
    )


class LabelsNotClasses(DataError, ValueError):
    """Labels that are measurements or tables instead of class numbers."""

    text = Text(
        what="The labels are not classes: {found}.",
        why="A classifier needs one class for each sample: a whole number from 0, or a word.",
        do="Give one class number or class name per sample; for one-hot rows use y.argmax(1).",
    )


class OneClass(DataError, ValueError):
    """Training data in which every sample has the same label."""

    text = Text(
        what="Every training sample has the same label: {label}.",
        why="With one class only there is nothing to tell apart.",
        do="Add samples of a second class, or choose another target.",
    )


class LengthsDiffer(DataError, ValueError):
    """Not as many labels as samples."""

    text = Text(
        what="There are {inputs} samples, but {labels} labels.",
        why="Each sample needs exactly one label.",
        do="Check how X and y were made; len(X) and len(y) must be equal.",
    )


class NoSamples(DataError, ValueError):
    """Nothing to learn from."""

    text = Text(
        what="There are no samples in {place}.",
        why="At least two samples of different classes are needed to learn from, and one to test with.",
        do="Check the path or the filter that the data came through.",
    )


class WrongShape(DataError, ValueError):
    """Inputs that are neither pictures nor rows of features."""

    text = Text(
        what="The inputs have the shape {shape}.",
        why="Pictures have (N, H, W), (N, C, H, W) or (N, H, W, C) with 1 or 3 channels; features have (N, F).",
        do="Reshape the array; the first number must be the number of samples.",
    )


class ShapesDiffer(DataError, ValueError):
    """Two samples, or two splits, that do not fit together."""

    text = Text(
        what="{first} has the shape {first_shape}, but {other} has {other_shape}.",
        why="All samples of a dataset need the same shape.",
        do="Correct the one that is wrong; pictures can be brought to one size with load(..., size=64).",
    )


class NotNumbers(DataError, TypeError):
    """Inputs of a kind with which a network cannot calculate."""

    text = Text(
        what="The inputs are of the kind {kind}, not real numbers.",
        why="A network calculates with numbers only.",
        do="Convert them first, for instance X.astype('float32'); tables with words can be given as a DataFrame.",
    )


class NotFinite(DataError, ValueError):
    """A NaN or an infinity among the inputs."""

    text = Text(
        what="The value in {place}, column {column} is {value}.",
        why="One value that is not a finite number makes every result after it nan.",
        do="Fill it (for instance with the mean of the column) or leave the row out.",
    )


class PixelsOutOfRange(DataError, ValueError):
    """Pixels that are neither 0 to 255 nor 0.0 to 1.0."""

    text = Text(
        what="The pixels run from {low} to {high} (the first odd one is in sample {row}).",
        why=(
            "Pixels are whole numbers from 0 to 255 or shares from 0.0 to 1.0. Values below 0 often come from a "
            "Normalize transform."
        ),
        do="Leave the normalisation out: the dataset's own preprocess does it, in training and in use alike.",
    )


class MissingValue(DataError, ValueError):
    """An empty cell in a table."""

    text = Text(
        what="A value is missing in {place}, column “{column}”.",
        why="A network cannot calculate with nothing, and guessing a value is a decision that should be yours.",
        do='Fill the cell, remove the row, or leave the column out with ignore=["{column}"].',
    )


class NoSuchColumn(DataError, KeyError):
    """A column that the table does not have."""

    text = Text(
        what="The table has no column “{column}”.",
        why="Its columns are: {columns}.",
        do='Choose one of them, for instance target="{nearest}".',
    )


class NoInputs(DataError, ValueError):
    """A table with nothing but the target."""

    text = Text(
        what="The table has no column besides “{column}”.",
        why="The other columns are what the class is told from.",
        do="Add columns, or take one out of ignore=.",
    )


class SameName(DataError, ValueError):
    """A DataFrame with two columns of one name."""

    text = Text(
        what="Two columns of the DataFrame are called “{name}”.",
        why="An input is known by the name of its column.",
        do="Rename one of them, or leave it out: frame.loc[:, ~frame.columns.duplicated()].",
    )


class TargetNeeded(DataError, ValueError):
    """A table without a word on what is to be predicted."""

    text = Text(
        what="Which column is to be predicted?",
        why="A table has many columns, and only you know which one is the answer: {columns}.",
        do='Say it with target=, for instance load(..., target="{nearest}").',
    )


class TooManyWords(DataError, ValueError):
    """A text column in which nearly every row is different."""

    text = Text(
        what="The column “{column}” holds {count} different texts.",
        why=(
            "A text column becomes one input per different text; names, ticket numbers and free text tell a "
            "network nothing this way."
        ),
        do='Leave it out with ignore=["{column}"], or turn it into a few groups.',
    )


class UnreadableTable(DataError, ValueError):
    """A CSV file that is not one table."""

    text = Text(
        what="The table {path} cannot be read at line {line}: {reason}.",
        why="Every line needs the same columns, and the first line must hold their names.",
        do="Open the file in a text editor and correct this line.",
    )


class NotUtf8(DataError, ValueError):
    """A CSV file in an older encoding of text."""

    text = Text(
        what="The table {path} is not in UTF-8 (byte {byte}).",
        why=(
            "Older programs save text in an encoding of their country, which cannot be told with certainty from the "
            "bytes."
        ),
        do=(
            "Save it as “CSV UTF-8”, or read it with pandas.read_csv(..., encoding=...) and give the DataFrame to "
            "load()."
        ),
    )


class DamagedFile(DataError, ValueError):
    """A dataset file that does not hold what it should."""

    text = Text(
        what="The file {path} is damaged: {reason}.",
        why="It is cut off, or it is not the file that its name promises.",
        do="Replace it by a whole copy. A downloaded file can simply be deleted: it is then fetched anew.",
    )


class UnknownArrays(DataError, ValueError):
    """An `.npz` file whose arrays have other names."""

    text = Text(
        what="The file {path} holds the arrays {names}.",
        why="load() looks for x_train, y_train, x_test and y_test, or for X and y.",
        do="Read it yourself: data = numpy.load(...), then load((data[...], data[...])): inputs, labels.",
    )


class NoTrainSplit(DataError, KeyError):
    """A Hugging Face `DatasetDict` with other splits."""

    text = Text(
        what="The DatasetDict has no split called “train”.",
        why="Its splits are: {splits}.",
        do='Give one or two of them: load(data["{first}"]), or load((data[...], data[...])) to train and to test with.',
    )


class HostilePickle(DataError, ValueError):
    """A pickle that asks for more than arrays."""

    text = Text(
        what="The file {path} asks Python to use {name}.",
        why=(
            "A dataset file holds arrays and plain lists only; a pickle that asks for more could run any program on "
            "your machine. Nothing of it was run."
        ),
        do="Delete the file and fetch the dataset from its official source.",
    )


class OptionNotUsed(DataError, ValueError):
    """An option that this kind of data has no use for."""

    text = Text(
        what="{option}= cannot be used with {source}.",
        why="Nothing would come of it, and the result would not be what you asked for.",
        do="Leave it out.",
    )


class BadSeed(DataError, ValueError):
    """A seed that is no whole number."""

    text = Text(
        what="{seed} is not a seed.",
        why="A seed is a whole number; the same number gives the same choice each time.",
        do="Write for instance seed=0.",
    )


class BadShare(DataError, ValueError):
    """A share for splitting that leaves one part empty."""

    text = Text(
        what="A share of {share} cannot be split off from {count} samples.",
        why="A share lies between 0.0 and 1.0, and both parts need at least one sample.",
        do="Choose a share such as 0.2, or bring more samples.",
    )


class BadPositions(DataError, IndexError):
    """Positions of samples that the dataset does not have."""

    text = Text(
        what="These positions do not fit a dataset of {count} samples: {found}.",
        why="Positions go from 0 to {last}; a mask needs one True or False per sample.",
        do="Check how they were computed, and from which dataset.",
    )


class BadSize(DataError, ValueError):
    """A picture size that is none."""

    text = Text(
        what="{size} is not a size for pictures.",
        why="A size is one whole number of pixels, or a pair (height, width), each at least 1.",
        do="Write for instance size=64 or size=(48, 64).",
    )


class TooLargeForMemory(DataError, MemoryError):
    """A dataset that would not fit."""

    text = Text(
        what="The {count} pictures would take {needed} of memory; this machine has {available}.",
        why="A dataset is held in memory as one block, {height} × {width} pixels for each picture.",
        do="Choose a smaller size, for instance load(..., size=64).",
    )


class BadBatch(DataError, ValueError):
    """A batch size that gives no batch."""

    text = Text(
        what="Batches of {size} samples cannot be made from {count} samples.",
        why=(
            "A batch size is a whole number of at least 1; with drop_last=True it must not exceed the number of "
            "samples."
        ),
        do="Choose a smaller batch size, such as 32.",
    )


class BadAugment(DataError, ValueError):
    """An augmentation that is unknown or does not fit."""

    text = Text(
        what="The augmentation “{name}” cannot be used here.",
        why=(
            "For pictures these names are known: {names}. A function must return a batch with as many samples as it "
            "got: pixels from 0 to 255, or as many features."
        ),
        do="Use one of the names, or a function that takes a batch of inputs and returns one.",
    )


class AugmentTooLarge(DataError, ValueError):
    """A change that reaches beyond the picture."""

    text = Text(
        what="{name}(pixels={pixels}) is too large for pictures of {height} × {width} pixels.",
        why="Nothing of the picture would be left to learn from.",
        do="Take fewer pixels: a sixteenth of the side for shift, a quarter for cutout are good beginnings.",
    )


class AugmentNeedsDataset(BadAugment, TypeError):
    """A change that depends on the sample, for batches that do not say which samples they hold."""

    text = Text(
        what="The augmentation “{name}” has to know which sample is which.",
        why="The batches of a DataLoader do not say where their samples stand in the data.",
        do='Take "flip" instead, or load the data with firstlight.load(...).',
    )


class BadAugmentOption(DataError, ValueError):
    """A value that a change cannot be made with."""

    text = Text(
        what="{name} was called with {option}={found}.",
        why="Possible are: {allowed}.",
        do="Give one of these, or leave {option} out.",
    )


class ColourNeedsPixels(DataError, TypeError):
    """Colours are to be changed in pictures that are prepared already."""

    text = Text(
        what="“colour” cannot change a batch of {kind}.",
        why="It changes brightness and colours of raw pixels (uint8, 0 to 255); prepared numbers have no such meaning.",
        do="Load the pictures with firstlight.load(...), or change the colours in the dataset's own transform.",
    )


class NotPictures(DataError, TypeError):
    """A picture was given where the dataset has none."""

    text = Text(
        what="The dataset {name} does not consist of pictures.",
        why="A photo can be prepared only like the pictures that the model was trained on.",
        do="Use a dataset of pictures, or give the features as a row of numbers.",
    )


class CannotShow(DataError, TypeError):
    """Something that `show` has no picture for."""

    text = Text(
        what="show() cannot draw this: {found}.",
        why="It draws a Dataset, a batch (inputs, labels), or a tensor of pictures (N, C, H, W).",
        do="Give it one of these, for instance show(train) or show((images, labels)).",
    )


class DownloadFailed(DataError, ConnectionError):
    """No mirror gave the file."""

    text = Text(
        what="{file} could not be fetched. {reasons}",
        why="Every known address was tried; none gave the right file.",
        do=(
            "Try again later, or put the file at {path} yourself (SHA-256 {sha256}). Without a network, "
            "fashion_mnist_small always works."
        ),
    )


class Offline(DataError, ConnectionError):
    """No mirror could be reached at all."""

    text = Text(
        what="{file} could not be fetched: no address could be reached. {reasons}",
        why="This machine seems to have no way to the internet, or a proxy stands between.",
        do=(
            'Use load("fashion_mnist_small"), which needs no internet; or put the file at {path} (SHA-256 {sha256}); '
            "or set FIRSTLIGHT_MIRROR to a copy in your network."
        ),
    )


class DiskFull(DataError, OSError):
    """No room for the file."""

    text = Text(
        what="There is no room for {file} in {folder}: it needs {needed}, {free} are free.",
        why="A download that fills the disk would stop other programs too.",
        do="Make room, or set FIRSTLIGHT_DATA to a folder on a larger disk; what was fetched so far is kept.",
    )


class CannotWrite(DataError, OSError):
    """The data folder refuses."""

    text = Text(
        what="Nothing can be written to {folder}: {reason}.",
        why="Downloads are kept there, so that each is made only once.",
        do="Set FIRSTLIGHT_DATA to a folder that is yours.",
    )
