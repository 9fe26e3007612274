using Cube.Proxy.Attestation.Policies;
using Cube.Proxy.Edge;
using Cube.Proxy.Management;
using Cube.ServiceDefaults.Errors;

namespace Cube.Proxy.Models.Catalogues;

/// <summary><c>/{domainID}/models</c>: which models a domain offers, and what it calls them. Whoever comes here is a member whose role allows it.</summary>
internal sealed class CatalogueApi(CatalogueStore store, PoliciesInForce inForce)
{
    public async Task AnswerAsync(HttpContext context)
    {
        var request = DomainRequest.Of(context);
        var answer = request.Endpoint!.Name switch
        {
            "catalogue.get" => await FindAsync(request.DomainId, context.RequestAborted),
            "catalogue.put" => await ReplaceAsync(request, context.Request),
            _ => await DeleteAsync(request.DomainId, context.RequestAborted),
        };
        await answer.WriteAsEnvelopeAsync(context);
    }

    private async Task<ApiAnswer> FindAsync(Guid domain, CancellationToken ct)
    {
        try
        {
            return await store.FindAsync(domain, ct) is { } found
                ? ApiAnswer.Ok(found)
                : ApiAnswer.NotFound("This domain has no catalogue: it offers every model of its machines.");
        }
        catch (CatalogueException exception)
        {
            return new ApiAnswer(StatusCodes.Status503ServiceUnavailable, null, "catalogue_unreadable", $"The stored catalogue cannot be loaded; replace or remove it. {exception.Message}");
        }
    }

    /// <summary>Answers when this proxy goes by it; the others have heard of it by then, or do within a second.</summary>
    private async Task<ApiAnswer> ReplaceAsync(DomainRequest request, HttpRequest http)
    {
        var ct = http.HttpContext.RequestAborted;
        if (await ApiBody.ReadAsync(http, CatalogueJson.MostBytes) is not { } body)
        {
            return ApiAnswer.Bad($"The catalogue is larger than {CatalogueJson.MostBytes >> 10} KiB.");
        }

        try
        {
            await store.ReplaceAsync(request.DomainId, CatalogueJson.Parse(body), request.Caller!.UserId.ToString(), ct);
        }
        catch (CatalogueException exception)
        {
            return ApiAnswer.Bad(exception.Message);
        }

        await inForce.ReadAsync(ct);
        return await FindAsync(request.DomainId, ct);
    }

    private async Task<ApiAnswer> DeleteAsync(Guid domain, CancellationToken ct)
    {
        await store.DeleteAsync(domain, ct);
        await inForce.ReadAsync(ct);
        return ApiAnswer.NoContent;
    }
}
