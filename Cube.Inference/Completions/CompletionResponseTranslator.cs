using System.Text.Json;
using Cube.Inference.Chat;

namespace Cube.Inference.Completions;

/// <summary>Translates the response of <c>/v1/completions</c>.</summary>
internal sealed class CompletionResponseTranslator() : ChoicesResponseTranslator("text_completion", "cmpl-")
{
    public override IStreamTranslator BeginStream(ClientRequest request, TimeProvider time) => new CompletionStream(request, time.GetUtcNow());

    protected override bool WriteContent(JsonElement choice, ClientRequest request, ByteBuffer output)
    {
        output.Append(",\"text\":"u8).Append(Raw(choice.GetProperty("text")));
        return false;
    }

    protected override void WriteLogprobs(ReadOnlySpan<byte> logprobs, ByteBuffer output) => Logprobs.WriteOfCompletion(logprobs, output);
}
