namespace Cube.Tests.OpenAi;

/// <summary>Every recorded exchange through the whole of Cube, in however many reads it comes.</summary>
[Collection(SharesReplay.Name)]
public sealed class RecordingTests(ReplaySystem system)
{
    public static TheoryData<string> Recordings => [.. Recording.All.Where(static recording =>
        recording is { Method: "POST", Body: not null, Path: "/v1/chat/completions" or "/v1/completions" or "/v1/embeddings" }).Select(static recording => recording.Id)];

    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(Recordings))]
    public async Task What_a_model_server_once_answered_reaches_a_client_as_OpenAI_would_say_it_in_any_split(string id)
    {
        var recording = Recording.Find(id);
        var (cube, server, tenant) = system[recording.Kind];
        string? essence = null;
        foreach (var split in Enum.GetValues<Split>())
        {
            server.Play(recording, split);
            // What stalls takes its two seconds once.
            if (essence is not null && !recording.IsClosed)
            {
                break;
            }

            var answer = await ClientAnswer.AskAsync(cube, tenant, recording.Path["/v1/".Length..], recording.Body!);
            // How much of a broken stream still came through is a matter of the moment.
            Assert.True(essence is null || answer.IsBroken || essence == answer.Essence, $"{split}: {answer.Text}\n\nwas\n\n{essence}");
            essence = answer.Essence;
        }
    }
}
