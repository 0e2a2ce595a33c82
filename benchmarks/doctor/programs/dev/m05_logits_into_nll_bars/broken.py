import torch
import torch.nn as nn
import torch.nn.functional as F


def draw(n):
    """8x8 pictures of one line: across, down, or along either diagonal."""
    kinds = torch.randint(0, 4, (n,))
    pictures = 0.35 * torch.randn(n, 8, 8)
    for picture, kind in zip(pictures, kinds.tolist()):
        at = int(torch.randint(1, 7, ()))
        if kind == 0:
            picture[at] += 1
        elif kind == 1:
            picture[:, at] += 1
        elif kind == 2:
            picture += torch.diag(torch.ones(8 - abs(at - 3)), at - 3)
        else:
            picture += torch.diag(torch.ones(8 - abs(at - 3)), at - 3).flip(0)
    return pictures.unsqueeze(1), kinds


class LineNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 12, 3)
        self.fc1 = nn.Linear(12 * 3 * 3, 40)
        self.fc2 = nn.Linear(40, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        x = x.flatten(1)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return x


def train(model, pictures, kinds, optimizer, epoch, batch_size=48):
    model.train()
    order = torch.randperm(len(kinds))
    total_loss = 0.0
    for i in range(0, len(order), batch_size):
        pick = order[i:i + batch_size]
        optimizer.zero_grad()
        output = model(pictures[pick])
        loss = F.nll_loss(output, kinds[pick])
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * len(pick)
    print(f"Train epoch {epoch}: average loss {total_loss / len(order):.6f}")


def test(model, pictures, kinds):
    model.eval()
    with torch.no_grad():
        pred = model(pictures).argmax(dim=1, keepdim=True)
    return pred.eq(kinds.view_as(pred)).sum().item() / len(kinds)


def main():
    torch.manual_seed(31)
    pictures, kinds = draw(1400)
    test_pictures, test_kinds = draw(400)
    model = LineNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, 7):
        train(model, pictures, kinds, optimizer, epoch)
    print(f"result: {test(model, test_pictures, test_kinds):.4f}")


if __name__ == "__main__":
    main()
