import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split

MOODS = ("calm", "dark", "party", "tender", "angry", "dreamy")


def make_songs(n=3000, n_audio=16):
    """Tempo, loudness, brightness ... and the moods three listeners agreed on."""
    audio = torch.randn(n, n_audio)
    pull = torch.randn(n_audio, len(MOODS)) * 0.55
    bend = torch.randn(n_audio, len(MOODS)) * 0.35
    raw = audio @ pull + (audio.abs() - 0.8) @ bend - 0.7
    tags = (torch.sigmoid(raw) > torch.rand_like(raw)).float()
    return audio, tags


class MoodTagger:
    def __init__(self, n_audio, cutoff=0.5, lr=2e-3):
        self.cutoff = cutoff
        self.net = nn.Sequential(
            nn.Linear(n_audio, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, len(MOODS))
        )
        self.optimizer = optim.NAdam(self.net.parameters(), lr=lr)
        self.criterion = nn.BCEWithLogitsLoss()

    def train_on(self, loader):
        self.net.train()
        total = seen = 0
        for audio, tags in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.net(audio), tags)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(audio)
            seen += len(audio)
        return total / seen

    def tag(self, audio):
        self.net.eval()
        with torch.no_grad():
            scores = torch.sigmoid(self.net(audio))
        return scores > self.cutoff

    def report(self, loader):
        tp = fp = fn = 0
        for audio, tags in loader:
            chosen, wanted = self.tag(audio), tags.bool()
            tp += (chosen & wanted).sum(dim=0)
            fp += (chosen & ~wanted).sum(dim=0)
            fn += (~chosen & wanted).sum(dim=0)
        return (2 * tp / (2 * tp + fp + fn).clamp(min=1)).tolist()


if __name__ == "__main__":
    torch.manual_seed(707)
    songs = TensorDataset(*make_songs())
    train_part, test_part = random_split(songs, [2400, 600])
    tagger = MoodTagger(16)
    train_loader = DataLoader(train_part, batch_size=40, shuffle=True)
    for epoch in range(10):
        loss = tagger.train_on(train_loader)
        if epoch % 3 == 0:
            print(f"epoch {epoch}: loss {loss:.4f}")
    f1 = tagger.report(DataLoader(test_part, batch_size=200))
    for mood, value in zip(MOODS, f1):
        print(f"  {mood:8s} F1 {value:.3f}")
    print(f"macro F1 {sum(f1) / len(f1):.3f}")
