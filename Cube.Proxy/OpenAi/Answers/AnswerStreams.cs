using Cube.Proxy.OpenAi.Answers.Responses;
using Cube.Proxy.OpenAi.Requests;
using Cube.Proxy.Routing;

namespace Cube.Proxy.OpenAi.Answers;

internal static class AnswerStreams
{
    /// <summary>How an endpoint's streamed answer is told; to be disposed of where it can be.</summary>
    public static IAnswerStream Of(InferenceEndpoint endpoint, ClientRequest request, TimeProvider time) =>
        endpoint == InferenceEndpoints.ChatCompletions ? new ChatStream(request, time.GetUtcNow())
        : endpoint == InferenceEndpoints.Completions ? new CompletionStream(request, time.GetUtcNow())
        : endpoint == InferenceEndpoints.Responses ? new ResponseStream(request, time)
        : endpoint.Kind == EndpointKind.Audio ? new TranscriptStream(request)
        : endpoint.Kind == EndpointKind.Weights ? new WeightStream()
        : new NativeStream(request);
}
