using Cube.Identity.Authentication;
using Cube.Identity.Database;
using Cube.Identity.Relations;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Cube.ServiceDefaults.Tokens;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace Cube.Identity.Mail;

using Sent = Results<Created<MailApi.Message>, JsonHttpResult<ManagementError>>;

/// <summary>What goes through a user's mailbox: verifying an address, and a new password when the old one is lost. Nobody learns here whether an address has an account.</summary>
internal static class MailApi
{
    public static IEndpointRouteBuilder MapMail(this IEndpointRouteBuilder endpoints)
    {
        var all = endpoints.MapGroup("").InForceWhenAnswered().WithTags("Mail").AllowAnonymous();
        all.MapPost("/users/send-verification", SendVerification);
        all.MapGet("/verify-email", Verify);
        all.MapPost("/password/reset-request", RequestReset);
        all.MapPut("/password/reset", Reset).QueuesForPasswords();
        return endpoints;
    }

    internal sealed record Message(string Msg);

    internal sealed record EmailRequest(string? Email);

    internal sealed record ResetRequest(string? Password, string? ConfirmPassword);

    internal static JsonHttpResult<ManagementError> NotConfigured { get; } =
        Requests.Fail(StatusCodes.Status503ServiceUnavailable, "mail_not_configured", "Cube sends no mail here; ask an administrator.");

    /// <summary>An account that is not verified cannot log in, so that it is named by its address.</summary>
    private static async Task<Results<Ok<Message>, JsonHttpResult<ManagementError>>> SendVerification(
        EmailRequest request, Caller? caller, UserStore users, MailQueue mails, CancellationToken ct)
    {
        var email = request.Email ?? (caller is null ? null : (await users.FindAsync(caller.UserId, ct))?.Email);
        if (UserRules.FaultOfEmail(email) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        if (!mails.IsConfigured)
        {
            return NotConfigured;
        }

        mails.Post(new MailOrder.Verify(email!));
        return TypedResults.Ok(new Message("If the account is not verified yet, a mail is on its way."));
    }

    private static async Task<Results<Ok<Message>, JsonHttpResult<ManagementError>>> Verify(
        string? token, MailTokens tokens, MailQueue mails, NpgsqlDataSource database, TimeProvider time, CancellationToken ct)
    {
        await using var change = await database.BeginChangeAsync(actor: null, ct);
        if (token is not { Length: > 0 and <= 128 } || await tokens.TakeAsync(change.Connection, token, MailTokens.Verify) is not { } taken)
        {
            return Requests.Fail(StatusCodes.Status401Unauthorized, "invalid_token", "The link is not good any more; ask for another.");
        }

        var old = await change.Connection.QuerySingleAsync<User>("select username, email from users where id = @UserId", new { taken.UserId });
        try
        {
            // Every other token sent by mail is void: one that went to the old address must not outlive it.
            await change.Connection.ExecuteAsync(
                """
                select set_config('cube.actor', @actor, true);
                delete from mail_tokens where user_id = @UserId;
                update users set email = @Email, verified_at = @now, updated_at = @now, updated_by = @UserId where id = @UserId and status <> 'deleted'
                """,
                new { actor = taken.UserId.ToString(), taken.Email, taken.UserId, now = time.GetUtcNow() });
        }
        catch (PostgresException exception) when (exception.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            return Requests.Conflict("The address belongs to another account now.");
        }

        await change.CommitAsync();
        if (!string.Equals(old.Email, taken.Email, StringComparison.OrdinalIgnoreCase))
        {
            mails.Post(new MailOrder.AddressNotice(old.Email, old.Username, IsChanged: true));
        }

        return TypedResults.Ok(new Message("The address is verified."));
    }

    private static Sent RequestReset(EmailRequest request, MailQueue mails)
    {
        if (UserRules.FaultOfEmail(request.Email) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        if (!mails.IsConfigured)
        {
            return NotConfigured;
        }

        mails.Post(new MailOrder.Recover(request.Email!));
        return TypedResults.Created((string?)null, new Message("If there is such an account, a mail is on its way."));
    }

    /// <summary>Ends all logins, revokes personal access tokens and voids every other token sent by mail: whoever lost the password may have lost more. The mail was proof of the address, too.</summary>
    private static async Task<Sent> Reset(
        ResetRequest request, HttpContext context, Passwords passwords, MailTokens tokens, NpgsqlDataSource database, TimeProvider time, CancellationToken ct)
    {
        var fault = UserRules.FaultOfPassword(request.Password, "password")
            ?? (request.Password == request.ConfirmPassword ? null : "password and confirm_password differ.");
        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        var token = BearerToken.Read(context.Request.Headers);
        await using var change = await database.BeginChangeAsync(actor: null, ct);
        if (string.IsNullOrEmpty(token) || await tokens.TakeAsync(change.Connection, token, MailTokens.Recover) is not { } taken)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
            return Requests.Fail(StatusCodes.Status401Unauthorized, "invalid_token", "The token of the mail is needed, once and within five minutes.");
        }

        await change.Connection.ExecuteAsync("select set_config('cube.actor', @actor, true)", new { actor = taken.UserId.ToString() });
        await UserStore.SetPasswordAsync(change.Connection, taken.UserId, passwords.Hash(request.Password!), kept: Guid.Empty, endsTokens: true, time.GetUtcNow());
        await change.CommitAsync();
        return TypedResults.Created((string?)null, new Message("The password is changed; log in with it."));
    }
}
