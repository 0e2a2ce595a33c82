import torch
from torch import nn

import firstlight as fl


class Softmaxless(nn.Module):
    def __init__(self, hidden: int = 56) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, hidden)
        self.logits = nn.Linear(hidden, 10)

    def forward(self, images):
        return self.logits(nn.functional.gelu(self.hidden(images.flatten(1))))


def accuracy(model, dataset):
    right = 0
    with torch.no_grad():
        for images, labels in dataset.batches(500):
            right += (model.forward(images).argmax(1) == labels).sum().item()
    return right / len(dataset)


torch.manual_seed(29)
training, testing = fl.load("fashion_mnist_small")
training = training.subset(range(3000))

EPOCHS = 4
model = Softmaxless()
optimizer = torch.optim.SGD(model.parameters(), lr=0.08, momentum=0.9)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)

for epoch in range(EPOCHS):
    losses = []
    for images, labels in training.batches(50, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model.forward(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        schedule.step()
    print(f"epoch {epoch + 1}/{EPOCHS} loss {sum(losses) / len(losses):.6f}")

print(f"result: {accuracy(model, testing):.4f}")
