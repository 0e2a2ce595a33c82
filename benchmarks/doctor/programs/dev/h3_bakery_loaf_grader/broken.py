"""Grades loaves from 1 to 5 out of oven and crust measurements."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(11)


class LoafDataset(Dataset):
    """Rows of measurements, each with the grade a baker gave."""

    def __init__(self, measurements, grades, first_grade=0):
        self.measurements = measurements
        self.grades = grades
        self.first_grade = first_grade

    def __len__(self):
        return len(self.grades)

    def __getitem__(self, index):
        return self.measurements[index], self.grades[index] - self.first_grade


class LoafGrader(nn.Module):
    def __init__(self, n_measurements, n_grades, width=384):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(n_measurements, width),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.grade = nn.Linear(width, n_grades)

    def forward(self, x):
        return self.grade(self.body(x))


class Bakery:
    """Holds a grader and what is needed to train it."""

    def __init__(self, grader, lr):
        self.grader = grader
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(grader.parameters(), lr=lr, weight_decay=1e-3)

    def bake(self, loader):
        self.grader.train()
        summed, seen = 0.0, 0
        for x, grade in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.grader(x), grade)
            loss.backward()
            self.optimizer.step()
            summed += loss.item() * len(grade)
            seen += len(grade)
        return summed / seen

    @torch.no_grad()
    def taste(self, loader):
        self.grader.eval()
        hits, seen = 0, 0
        for x, grade in loader:
            hits += (self.grader(x).argmax(dim=1) == grade).sum().item()
            seen += len(grade)
        return hits / seen


# three kinds of loaf per grade
kinds = torch.randn(5, 3, 32) * 0.62
grades = torch.randint(1, 6, (2600,))
which = torch.randint(0, 3, (2600,))
loaves = kinds[grades - 1, which] + torch.randn(2600, 32)

x_train, g_train = loaves[:2000], grades[:2000]
x_test, g_test = loaves[2000:], grades[2000:]
center, spread = x_train.mean(dim=0), x_train.std(dim=0)
x_train = (x_train - center) / spread
x_test = (x_test - center) / spread

train_loader = DataLoader(LoafDataset(x_train, g_train, first_grade=1), batch_size=100, shuffle=True)
test_loader = DataLoader(LoafDataset(x_test, g_test), batch_size=200)

bakery = Bakery(LoafGrader(32, 5), lr=1e-3)
for epoch in range(1, 25):
    train_loss = bakery.bake(train_loader)
    print(f"epoch {epoch:2d}  loss {train_loss:.6f}")

print(f"result: {bakery.taste(test_loader):.4f}")
