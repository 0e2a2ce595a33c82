import io

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

NOTES, LENGTH, STYLES, MASK = 32, 20, 4, 32


class MelodyEncoder(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.notes = nn.Embedding(NOTES + 1, width)
        self.place = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(width, 4, 80, dropout=0.0, batch_first=True)
        self.mixer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, tune):
        return self.mixer(self.notes(tune) + self.place)


class MaskedMelody(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = MelodyEncoder()
        self.guess = nn.Linear(40, NOTES)

    def forward(self, tune):
        return self.guess(self.encoder(tune))


class StyleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = MelodyEncoder()
        self.style = nn.Linear(40, STYLES)

    def forward(self, tune):
        return self.style(self.backbone(tune).mean(dim=1))


class Studio:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.steps = torch.softmax(2.6 * torch.randn(STYLES, NOTES, NOTES), dim=-1)

    def compose(self, count):
        style = torch.randint(0, STYLES, (count,))
        tune = [torch.randint(0, NOTES, (count,))]
        for _ in range(LENGTH - 1):
            tune.append(torch.multinomial(self.steps[style, tune[-1]], 1).squeeze(1))
        return TensorDataset(torch.stack(tune, dim=1), style)

    def pretrain(self, data, epochs):
        net = MaskedMelody()
        opt = torch.optim.Adam(net.parameters(), lr=2e-3)
        net.train()
        for epoch in range(epochs):
            for tune, _ in DataLoader(data, batch_size=64, shuffle=True):
                hide = torch.rand(tune.shape) < 0.2
                loss = nn.functional.cross_entropy(net(tune.masked_fill(hide, MASK))[hide], tune[hide])
                opt.zero_grad()
                loss.backward()
                opt.step()
            print(f"pretraining {epoch}: {loss.item():.3f}")
        checkpoint = io.BytesIO()
        torch.save(net.state_dict(), checkpoint)
        return checkpoint

    def restore(self, net, checkpoint):
        checkpoint.seek(0)
        saved = torch.load(checkpoint)
        current = net.state_dict()
        current.update({k: v for k, v in saved.items() if k in current})
        net.load_state_dict(current)

    def finetune(self, net, data, epochs):
        opt = torch.optim.Adam(net.parameters(), lr=1e-3)
        net.train()
        for epoch in range(epochs):
            for tune, style in DataLoader(data, batch_size=32, shuffle=True):
                loss = nn.functional.cross_entropy(net(tune), style)
                opt.zero_grad()
                loss.backward()
                opt.step()
            print(f"styles {epoch}: {loss.item():.3f}")

    @torch.no_grad()
    def test(self, net, data):
        net.eval()
        return sum((net(t).argmax(1) == s).sum().item() for t, s in DataLoader(data, batch_size=200)) / len(data)


studio = Studio(seed=25)
large, small, unheard = studio.compose(2400), studio.compose(400), studio.compose(600)
net = StyleNet()
studio.restore(net, studio.pretrain(large, epochs=5))
studio.finetune(net, small, epochs=9)
print(f"result: {studio.test(net, unheard):.4f}")
