import torch
import torch.nn as nn

torch.manual_seed(123)

# a language of 12 letters in which the last two letters mostly decide the next one
letters = 12
follow = torch.randint(0, letters, (letters, letters))

def write(length):
    noise = torch.rand(length)
    wild = torch.randint(0, letters, (length,))
    text = [0, 1]
    for i in range(2, length):
        text.append(int(follow[text[-2], text[-1]]) if noise[i] < 0.85 else int(wild[i]))
    return torch.tensor(text)

streams, window = 32, 25
train_text = write(streams * 1001).view(streams, -1)
valid_text = write(streams * 251).view(streams, -1)

class LetterModel(nn.Module):
    def __init__(self, hidden=96):
        super().__init__()
        self.embed = nn.Embedding(letters, 24)
        self.rnn = nn.LSTM(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, letters)

    def forward(self, tokens, state):
        h, state = self.rnn(self.embed(tokens), state)
        return self.out(h), state

model = LetterModel()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(6):
    model.train()
    state, total, steps = None, 0.0, 0
    for pos in range(0, train_text.size(1) - 1, window):
        inputs = train_text[:, pos:pos + window]
        targets = train_text[:, pos + 1:pos + 1 + window]
        if state is not None:
            state = tuple(s.detach() for s in state)
        optimizer.zero_grad()
        logits, state = model(inputs, state)
        loss = criterion(logits.reshape(-1, letters), targets.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
        steps += 1
    print(f"epoch {epoch}: cross entropy {total / steps:.4f}")

model.eval()
right = count = 0
state = None
with torch.no_grad():
    for pos in range(0, valid_text.size(1) - 1, window):
        targets = valid_text[:, pos + 1:pos + 1 + window]
        logits, state = model(valid_text[:, pos:pos + window], state)
        right += (logits.argmax(-1) == targets).sum().item()
        count += targets.numel()
print(f"result: {right / count:.4f}")
