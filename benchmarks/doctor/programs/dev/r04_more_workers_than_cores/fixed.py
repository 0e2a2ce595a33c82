import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

if __name__ == "__main__":
    torch.manual_seed(18)
    spots = torch.randn(6, 3) * 2
    group = torch.randint(6, (2000,))
    place = spots[group] + 0.7 * torch.randn(2000, 3)
    train_data = TensorDataset(place[:1600], group[:1600])
    test_data = TensorDataset(place[1600:], group[1600:])
    train_loader = DataLoader(train_data, batch_size=40, shuffle=True)
    test_loader = DataLoader(test_data, batch_size=100)

    model = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(2):
        model.train()
        loss_sum = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
        print(f"epoch {epoch} loss {loss_sum / len(train_loader):.6f}")

    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader)
    print(f"result: {right / 400:.4f}")
