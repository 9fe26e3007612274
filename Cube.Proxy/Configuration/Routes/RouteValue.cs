using System.Text;
using System.Text.Json;

namespace Cube.Proxy.Configuration.Routes;

/// <summary>A value of requests that routes compare: the method, a header, a query parameter or a member of the body.</summary>
internal sealed class RouteValue(MatchCondition condition, string name)
{
    private readonly byte[][] _path = [.. name.Split('.').Select(Encoding.UTF8.GetBytes)];

    public MatchCondition Condition => condition;

    /// <summary>The name of the header, query parameter or member; empty for the method.</summary>
    public string Name => name;

    /// <returns>The first value with this name; null if the request has none.</returns>
    public string? Read(in RouteRequest request) => condition switch
    {
        MatchCondition.Method => request.Http.Method,
        MatchCondition.Header => request.Http.Headers.TryGetValue(name, out var values) && values is [{ } first, ..] ? first : null,
        MatchCondition.QueryParam => request.Http.Query.TryGetValue(name, out var values) && values is [{ } first, ..] ? first : null,
        _ => ReadMember(request.Body.Span),
    };

    /// <summary>Reads the JSON once and skips the members that are not on the path.</summary>
    private string? ReadMember(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return null;
            }

            var depth = 0;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (!reader.ValueTextEquals(_path[depth]))
                {
                    reader.Skip();
                    continue;
                }

                reader.Read();
                if (++depth == _path.Length)
                {
                    return ReadText(ref reader, json);
                }

                if (reader.TokenType != JsonTokenType.StartObject)
                {
                    return null;
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // The body is not valid JSON. A later step rejects the request.
        }

        return null;
    }

    private static string? ReadText(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            return reader.GetString();
        }

        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return Encoding.UTF8.GetString(json[start..(int)reader.BytesConsumed]);
    }
}
