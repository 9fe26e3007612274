using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Cube.Authorization.Relationships;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Options;

namespace Cube.Authorization.SpiceDb;

/// <summary>
/// A client of SpiceDB's HTTP API. Checks are fully consistent: callers cache the results and invalidate them on a change, so a stale
/// result must not come back from SpiceDB's cache.
/// </summary>
internal sealed class SpiceDbClient(IHttpClientFactory clients, IOptions<AuthorizationOptions> options) : IAuthorizationEngine
{
    public const string ClientName = "authorization";

    private const int NotFound = 5;

    /// <summary>The limit for the response headers and for each line of a streamed response.</summary>
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(10);

    public string Name => options.Value.Engine;

    public async Task<string?> ReadSchemaAsync(CancellationToken ct)
    {
        using var response = await SendAsync("v1/schema/read", new Contracts.ReadSchema(), ContractsJson.Default.ReadSchema, ct);
        if (response.StatusCode == System.Net.HttpStatusCode.NotFound && (await ReadErrorAsync(response, ct)).Code == NotFound)
        {
            return null;
        }

        return (await ReadAsync(response, ContractsJson.Default.SchemaText, ct)).Value;
    }

    public async Task WriteSchemaAsync(string schema, CancellationToken ct)
    {
        using var response = await SendAsync("v1/schema/write", new Contracts.WriteSchema(schema), ContractsJson.Default.WriteSchema, ct);
        await ReadAsync(response, ContractsJson.Default.Written, ct);
    }

    public async Task WriteAsync(IReadOnlyCollection<RelationshipUpdate> updates, CancellationToken ct)
    {
        var body = new Contracts.Write([.. updates.Select(static update => new Contracts.Update(
            Contracts.OperationPrefix + update.Operation.ToString().ToUpperInvariant(), ToTuple(update.Relationship)))]);
        using var response = await SendAsync("v1/relationships/write", body, ContractsJson.Default.Write, ct);
        await ReadAsync(response, ContractsJson.Default.Written, ct);
    }

    public async IAsyncEnumerable<Relationship> ReadAsync(RelationshipFilter filter, [EnumeratorCancellation] CancellationToken ct)
    {
        var body = new Contracts.Read(Contracts.Consistency.Full, ToContract(filter));
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(ReadTimeout);
        using var response = await SendAsync("v1/relationships/read", body, ContractsJson.Default.Read, ct, HttpCompletionOption.ResponseHeadersRead);
        if (!response.IsSuccessStatusCode)
        {
            throw new UnavailableException("The authorization engine", new HttpRequestException((await ReadErrorAsync(response, timeout.Token)).Message));
        }

        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        while (await ReadLineAsync(lines, timeout, ct) is { } relationship)
        {
            yield return relationship;
        }
    }

    /// <returns>The next relationship of the stream, or null at its end. The time limit applies to each line, not to the whole stream.</returns>
    private static async Task<Relationship?> ReadLineAsync(StreamReader lines, CancellationTokenSource timeout, CancellationToken ct)
    {
        try
        {
            timeout.CancelAfter(ReadTimeout);
            string? line;
            do
            {
                line = await lines.ReadLineAsync(timeout.Token);
            }
            while (line is "");
            return line is null
                ? null
                : FromTuple(JsonSerializer.Deserialize(line, ContractsJson.Default.ReadLine)?.Result?.Relationship
                    ?? throw new JsonException("The stream of relationships ended with an error."));
        }
        catch (Exception exception) when (exception is JsonException or IOException or HttpRequestException
            || (exception is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new UnavailableException("The authorization engine", exception);
        }
    }

    public async Task<bool[]> CheckAsync(IReadOnlyList<PermissionCheck> checks, CancellationToken ct)
    {
        var body = new Contracts.CheckBulk(Contracts.Consistency.Full, [.. checks.Select(static check => new Contracts.CheckItem(
            ToObject(check.Resource), check.Permission, ToSubject(check.Subject)))]);
        using var response = await SendAsync("v1/permissions/checkbulk", body, ContractsJson.Default.CheckBulk, ct);
        var pairs = (await ReadAsync(response, ContractsJson.Default.CheckedBulk, ct)).Pairs;
        return pairs.Count == checks.Count && pairs.All(static pair => pair.Item is not null)
            ? [.. pairs.Select(static pair => pair.Item!.Permissionship == Contracts.HasPermission)]
            : throw new UnavailableException(
                "The authorization engine", new HttpRequestException(pairs.FirstOrDefault(static pair => pair.Error is not null)?.Error?.Message ?? "The response does not answer every check."));
    }

    /// <summary>By default the client reads the whole response within its time limit. A streamed response is read as it arrives.</summary>
    private async Task<HttpResponseMessage> SendAsync<T>(
        string path, T body, JsonTypeInfo<T> type, CancellationToken ct, HttpCompletionOption completion = HttpCompletionOption.ResponseContentRead)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", options.Value.Key);
        // A known length instead of chunked encoding, for SpiceDB's gateway and for traces.
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type))
        {
            Headers = { ContentType = new MediaTypeHeaderValue("application/json") },
        };
        try
        {
            return await clients.CreateClient(ClientName).SendAsync(request, completion, ct);
        }
        catch (Exception exception) when (exception is HttpRequestException || (exception is TaskCanceledException && !ct.IsCancellationRequested))
        {
            throw new UnavailableException("The authorization engine", exception);
        }
    }

    private static async Task<T> ReadAsync<T>(HttpResponseMessage response, JsonTypeInfo<T> type, CancellationToken ct)
    {
        if (!response.IsSuccessStatusCode)
        {
            throw new UnavailableException("The authorization engine", new HttpRequestException((await ReadErrorAsync(response, ct)).Message));
        }

        try
        {
            return await response.Content.ReadFromJsonAsync(type, ct) ?? throw new JsonException("The response is empty.");
        }
        catch (Exception exception) when (exception is JsonException or HttpRequestException or IOException)
        {
            throw new UnavailableException("The authorization engine", exception);
        }
    }

    private static async Task<Contracts.RpcStatus> ReadErrorAsync(HttpResponseMessage response, CancellationToken ct)
    {
        try
        {
            return await response.Content.ReadFromJsonAsync(ContractsJson.Default.RpcStatus, ct) ?? Unknown(response);
        }
        catch (JsonException)
        {
            return Unknown(response);
        }

        static Contracts.RpcStatus Unknown(HttpResponseMessage response) => new(0, $"The authorization engine answered {(int)response.StatusCode}.", []);
    }

    private static Contracts.Object ToObject(ObjectRef reference) => new(reference.Type, reference.Id);

    private static Contracts.Subject ToSubject(SubjectRef subject) => new(ToObject(subject.Object), subject.Relation.Length == 0 ? null : subject.Relation);

    private static Contracts.Tuple ToTuple(Relationship relationship) =>
        new(ToObject(relationship.Resource), relationship.Relation, ToSubject(relationship.Subject));

    private static Relationship FromTuple(Contracts.Tuple tuple) => new(
        FromObject(tuple.Resource), tuple.Relation ?? "", new SubjectRef(FromObject(tuple.Subject?.Object), tuple.Subject?.OptionalRelation ?? ""));

    private static ObjectRef FromObject(Contracts.Object? reference) => new(reference?.ObjectType ?? "", reference?.ObjectId ?? "");

    private static Contracts.Filter ToContract(RelationshipFilter filter) => new(
        filter.ResourceType, filter.ResourceId, null, filter.Relation,
        filter.SubjectType is null
            ? null
            : new(filter.SubjectType, filter.SubjectId, filter.SubjectRelation is null ? null : new(filter.SubjectRelation)));
}
