using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Cube.AppHost.Hosting;

/// <summary>The HTTP client of the AppHost for model servers.</summary>
internal sealed class ModelServerClient(Uri address) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(2) })
    {
        BaseAddress = address,
        Timeout = TimeSpan.FromHours(2),
    };

    /// <returns>The model ids from <c>/v1/models</c>, which Ollama and vLLM both provide.</returns>
    public async Task<IReadOnlyList<string>> ModelsAsync(CancellationToken ct)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(TimeSpan.FromSeconds(5));
        try
        {
            var list = await _http.GetFromJsonAsync<ModelList>("v1/models", timeout.Token);
            return [.. (list?.Data ?? []).Select(static model => model.Id)];
        }
        catch (Exception exception) when (exception is JsonException || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new HttpRequestException("The model server returned no list of models.", exception);
        }
    }

    /// <returns>Progress of the pull, such as <c>42 %</c>.</returns>
    /// <exception cref="InvalidOperationException">Ollama could not pull the model.</exception>
    public async IAsyncEnumerable<string> PullAsync(string model, [EnumeratorCancellation] CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/pull") { Content = JsonContent.Create(new { model }) };
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        var shown = "";
        while (await reader.ReadLineAsync(ct) is { } line)
        {
            // {"status":"pulling 6a0746a1ec1a","digest":"sha256:6a07…","total":4661211808,"completed":52428800} or {"error":"…"}
            var status = JsonSerializer.Deserialize<PullStatus>(line, JsonSerializerOptions.Web);
            if (status?.Error is { } error)
            {
                throw new InvalidOperationException(error);
            }

            var now = status is { Total: > 0 } ? $"{100 * status.Completed / status.Total} %" : status?.Status ?? "";
            if (now != shown)
            {
                yield return shown = now;
            }
        }

        response.EnsureSuccessStatusCode();
    }

    public void Dispose() => _http.Dispose();

    private sealed record ModelList(ModelEntry[]? Data);

    private sealed record ModelEntry(string Id);

    private sealed record PullStatus(string? Status, string? Error, long Total, long Completed);
}
