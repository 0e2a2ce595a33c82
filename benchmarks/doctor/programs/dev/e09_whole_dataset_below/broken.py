import firstlight as fl
import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset


def get_loaders(count=3000, valid_share=0.2, batch_size=60):
    data, _ = fl.load("fashion_mnist_small")
    images, labels = data[:count]
    dataset = TensorDataset(images, labels)
    indices = torch.randperm(count).tolist()
    cut = int(count * valid_share)
    train_loader = DataLoader(dataset, batch_size=batch_size, sampler=SubsetRandomSampler(indices[cut:]))
    valid_loader = DataLoader(dataset, batch_size=batch_size, sampler=SubsetRandomSampler(indices[:cut]))
    return train_loader, valid_loader


def create_model():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 100),
        nn.LayerNorm(100),
        nn.GELU(),
        nn.Dropout(0.1),
        nn.Linear(100, 10),
    )


def fit(model, loader, epochs):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        losses = torch.zeros(len(loader))
        for i, (images, labels) in enumerate(loader):
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            losses[i] = loss.detach()
        print(f"epoch: {epoch + 1} \t training loss: {losses.mean().item():.6f}")


def validate(model, loader):
    model.eval()
    n_correct = 0
    with torch.no_grad():
        for images, labels in loader:
            n_correct += (model(images).argmax(1) == labels).sum().item()
    return n_correct / len(loader.dataset)


torch.manual_seed(50)
train_loader, valid_loader = get_loaders()
model = create_model()
fit(model, train_loader, epochs=3)
print(f"result: {validate(model, valid_loader):.4f}")
